"""Home Assistant's documented fields of MQTT device discovery (its manual, pages "MQTT", "MQTT event",
"MQTT sensor", "MQTT binary sensor", "MQTT notify"), to compare a discovery message with."""
AVAILABILITY = {"availability", "availability_mode", "availability_topic", "availability_template", "payload_available",
                "payload_not_available"}
ENTITY = {"platform", "unique_id", "name", "qos", "encoding", "icon", "entity_category", "enabled_by_default", "object_id",
          "default_entity_id", "device_class", "json_attributes_topic", "json_attributes_template", "entity_picture"} | AVAILABILITY
FIELDS = {
    "event": ENTITY | {"state_topic", "event_types", "value_template"},
    "sensor": ENTITY | {"state_topic", "value_template", "state_class", "unit_of_measurement", "expire_after", "force_update",
                        "last_reset_value_template", "options", "suggested_display_precision"},
    "binary_sensor": ENTITY | {"state_topic", "value_template", "payload_on", "payload_off", "expire_after", "force_update",
                               "off_delay"},
    "notify": ENTITY | {"command_topic", "command_template", "retain"}}
REQUIRED = {"event": {"state_topic", "event_types"}, "sensor": {"state_topic"}, "binary_sensor": {"state_topic"},
            "notify": {"command_topic"}}
TOP = {"device", "origin", "components", "qos", "encoding", "state_topic", "command_topic"} | AVAILABILITY
DEVICE = {"identifiers", "connections", "name", "manufacturer", "model", "model_id", "sw_version", "hw_version", "serial_number",
          "suggested_area", "via_device", "configuration_url"}
ORIGIN = {"name", "sw_version", "support_url"}
CLASSES = {"binary_sensor": {"connectivity", "problem"}}


def component_problems(name, c):
    kind = c.get("platform")
    if kind not in FIELDS:
        return [f"{name}: platform {kind}"]
    if len(c) == 1:  # it is removed
        return []
    found = [f"{name}: {key} is not documented" for key in c.keys() - FIELDS[kind]]
    found += [f"{name}: {key} is missing" for key in (REQUIRED[kind] | {"unique_id"}) - c.keys()]
    if "device_class" in c and c["device_class"] not in CLASSES.get(kind, set()):
        found.append(f"{name}: device_class {c['device_class']}")
    if c.get("device_class") == "connectivity" and AVAILABILITY & c.keys():
        found.append(f"{name}: with availability it would never say off")
    if kind == "notify" and (c.get("retain") is not False or c.get("qos") != 1):
        found.append(f"{name}: a command must not be retained, and needs qos 1")
    return found


def problems(config):
    found = [f"{key} is not documented" for key in config.keys() - TOP]
    found += [f"{key} is missing" for key in {"device", "origin", "components"} - config.keys()]
    found += [f"device: {key}" for key in config["device"].keys() - DEVICE]
    found += [f"origin: {key}" for key in config["origin"].keys() - ORIGIN]
    if not config["device"].get("identifiers") or not config["origin"].get("name"):
        found.append("device.identifiers and origin.name are required")
    ids = [c.get("unique_id") for c in config["components"].values() if len(c) > 1]
    if len(ids) != len(set(ids)):
        found.append("unique_id is not unique")
    for name, c in config["components"].items():
        found += component_problems(name, c)
    return found
