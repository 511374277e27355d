"""What scripts of the tests tell: "ok - what", or "not ok - what: why"."""
failures = []  # what failed


def check(what, condition, detail=""):
    """Returns the condition."""
    if not condition:
        failures.append(what)
    print(f"ok - {what}" if condition else f"not ok - {what}: {detail}", flush=True)
    return condition
