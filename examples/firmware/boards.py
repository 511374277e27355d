"""How each board runs in QEMU: the machine and where its console and its link are wired."""

BOARDS = {
    "microbit": dict(machine="microbit", system="arm", console="stderr", uarts=["link"]),
    "mps2-an385": dict(machine="mps2-an385", system="arm", console="uart", uarts=["console", "link", "link"]),
    "lm3s6965evb": dict(machine="lm3s6965evb", system="arm", console="uart", uarts=["console"],
                        nic="stellaris"),
    "sifive_e": dict(machine="sifive_e", system="riscv32", console="uart", uarts=["console", "link"],
                     more=["-bios", "none"]),
}


def command(board, elf, port, arguments=(), count=False):
    """The QEMU command. Links are connected to 127.0.0.1:port, and nothing else of the network can be
    reached from an UART; Ethernet sees the host as 10.0.2.2. `count`: one instruction = 1 ns."""
    facts = BOARDS[board]
    words = ["qemu-system-" + facts["system"], "-M", facts["machine"], "-display", "none",
             "-monitor", "none", "-kernel", str(elf)]
    words += facts.get("more", [])
    semihosting = "enable=on,target=native"
    for argument in (board,) + tuple(arguments):
        semihosting += ",arg=" + argument
    words += ["-semihosting-config", semihosting]
    for number, use in enumerate(facts["uarts"]):
        if use == "console":
            words += ["-serial", "stdio"]
        else:
            words += ["-chardev", f"socket,id=link{number},host=127.0.0.1,port={port},nodelay=on",
                      "-serial", f"chardev:link{number}"]
    words += ["-nic", "user,model=" + facts["nic"] if "nic" in facts else "none"]
    if count:
        words += ["-icount", "shift=0"]
    return words
