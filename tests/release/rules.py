"""The published rules of package formats whose own tools Debian lacks. Each function names the rule's
source."""
import json
import os
import re
import subprocess

from packages import check, text

SEMVER = r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?"


def arduino(folder):
    """https://arduino.github.io/arduino-cli/latest/library-specification/ and the strict schema of arduino-lint,
    https://github.com/arduino/arduino-lint/tree/main/etc/schemas (arduino-library-properties-strict-schema.json)."""
    lines = text(f"{folder}/library.properties").splitlines()
    fields = dict(line.split("=", 1) for line in lines)
    needed = {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"}
    check("arduino: library.properties has each field once", len(fields) == len(lines) and needed <= set(fields))
    check("arduino: its name has at most 16 letters and no \"Arduino\"",
          re.fullmatch(r"[A-Za-z][\w.-]{0,15}", fields["name"]) and "arduino" not in fields["name"].lower())
    check("arduino: its folder has its name", os.path.basename(folder) == fields["name"])
    check("arduino: its version is semantic", re.fullmatch(SEMVER, fields["version"]))
    check("arduino: its category is one of the listed", fields["category"] in (
        "Display", "Communication", "Signal Input/Output", "Sensors", "Device Control", "Timing", "Data Storage",
        "Data Processing", "Other"))
    check("arduino: what it includes is there",
          all(os.path.exists(f"{folder}/src/{name}") for name in fields["includes"].split(",")))
    arduino_keywords(folder)
    for sketch in os.listdir(f"{folder}/examples"):
        check(f"arduino: {sketch} is a folder with a sketch of its name",
              os.path.exists(f"{folder}/examples/{sketch}/{sketch}.ino"))
        lines = re.sub(r"/\*.*?\*/", "", text(f"{folder}/examples/{sketch}/{sketch}.ino"), flags=re.S).splitlines()
        lines = [line for line in lines if line.strip(" {}") and not line.startswith("#")]
        check(f"arduino: {sketch} has ten lines at most, without includes and braces", len(lines) <= 10, len(lines))


def arduino_keywords(folder):
    """Library specification, "Keywords": a word, one tab, KEYWORD1 (types) or KEYWORD2 (functions)."""
    rows = text(f"{folder}/keywords.txt").splitlines()
    check("arduino: keywords.txt is a table", all(re.fullmatch(r"\w+\tKEYWORD[12]", row) for row in rows))
    words = {row.split("\t")[0] for row in rows}
    sketches = "".join(text(f"{folder}/examples/{name}/{name}.ino") for name in os.listdir(f"{folder}/examples"))
    used = set(re.findall(r"\bavito\.(\w+)", sketches)) | {"Avito", "avito_board"}
    check("arduino: keywords.txt has what the sketches use", used <= words, used - words)
    check("arduino: and names nothing private", not [w for w in words if w.endswith("_")])


def platformio(folder):
    """platformio-core, platformio/package/manifest/schema.py and platformio/assets/schema/library.json."""
    library = json.loads(text(f"{folder}/library.json"))
    properties = dict(line.split("=", 1) for line in text(f"{folder}/library.properties").splitlines())
    for name, most in (("name", 50), ("version", 20), ("description", 255), ("keywords", 255)):
        check(f"platformio: {name} has 1 to {most} characters", 0 < len(library[name]) <= most)
    check("platformio: the name has none of :;/,@<>", not re.search(r"[:;/,@<>]", library["name"]))
    check("platformio: keywords are of a-z0-9+_-. and blanks", re.fullmatch(r"[a-z\d\-_+. ,]+", library["keywords"]))
    check("platformio: name and version are those of library.properties",
          (library["name"], library["version"]) == (properties["name"], properties["version"]))
    check("platformio: frameworks and platforms are words", all(re.fullmatch(r"[a-z\d_-]+|\*", library[name])
                                                              for name in ("frameworks", "platforms")))
    paths = [f"{folder}/src/{name}" for name in library["headers"]] + [
        f"{folder}/{example['base']}/{name}" for example in library["examples"] for name in example["files"]] + [
        f"{folder}/{name}" for name in library["export"]["include"]]
    check("platformio: every file that it names is there", all(map(os.path.exists, paths)), paths)
    sources = [path for path in os.listdir(f"{folder}/src") if path.endswith((".c", ".cpp"))]
    check("platformio: nothing is compiled but what the sketch includes", library["build"]["srcDir"] == "src" and not sources)


def openwrt(feed):
    """https://openwrt.org/docs/guide-developer/packages and
    https://openwrt.org/docs/guide-developer/package-policies; libinih and ca-bundle are packages of OpenWrt."""
    for package in ("bearssl", "avito"):
        makefile = text(f"{feed}/{package}/Makefile")
        order = [makefile.find(part) for part in ("include $(TOPDIR)/rules.mk", "PKG_NAME:=", "include $(INCLUDE_DIR)/package.mk",
                                                  f"define Package/{package}\n", f"$(eval $(call BuildPackage,{package}))")]
        check(f"openwrt: {package}: rules.mk, PKG_*, package.mk, Package/*, BuildPackage in this order",
              order == sorted(order) and order[0] >= 0, order)
        for name in ("PKG_VERSION", "PKG_RELEASE", "PKG_MAINTAINER", "PKG_LICENSE", "PKG_LICENSE_FILES"):
            check(f"openwrt: {package}: {name} is given", re.search(rf"^{name}:=\S", makefile, re.M))
        title = re.search(r"^  TITLE:=(.*)$", makefile, re.M).group(1)
        check(f"openwrt: {package}: its title is short", len(title) <= 70 and not title.endswith("."), title)
    hashed = re.search(r"^PKG_HASH:=([0-9a-f]{64})$", text(f"{feed}/bearssl/Makefile"), re.M)
    check("openwrt: bearssl: its archive has a hash", hashed)


def yaml(path):
    """By Debian's python3-yaml, which only Debian's own Python has."""
    out = subprocess.run(["/usr/bin/python3", "-c", "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)",
                          path], capture_output=True, text=True, check=True).stdout
    return json.loads(out)


def esp_idf(folder):
    """https://docs.espressif.com/projects/idf-component-manager/en/latest/reference/manifest_file.html"""
    known = {"version", "maintainers", "description", "license", "tags", "files", "examples", "url", "repository",
             "documentation", "issues", "discussion", "dependencies", "targets"}
    manifest = yaml(f"{folder}/idf_component.yml")
    check("esp-idf: the manifest has only what manifests have", set(manifest) <= known, set(manifest) - known)
    check("esp-idf: its version is semantic", re.fullmatch(SEMVER, manifest["version"]))
    check("esp-idf: its licence is an SPDX name", manifest["license"] == "MIT")
    check("esp-idf: maintainers are \"Name <address>\"", all(re.fullmatch(r".+ <\S+@\S+>", who) for who in manifest.get("maintainers", [])))
    example = yaml(f"{folder}/examples/answer/main/idf_component.yml")["dependencies"]["avito_messenger"]
    path = os.path.normpath(f"{folder}/examples/answer/main/{example['override_path']}")
    check("esp-idf: the example finds the component beside it", path == folder and os.path.exists(f"{path}/CMakeLists.txt"), path)
    check("esp-idf: and asks for its version", example["version"] == f"^{manifest['version']}")


def zephyr(folder):
    """zephyr/module.yml: scripts/zephyr_module.py of Zephyr (METADATA_SCHEMA, process_cmake, process_kconfig);
    sample.yaml: https://docs.zephyrproject.org/latest/develop/test/twister.html"""
    module = yaml(f"{folder}/zephyr/module.yml")
    check("zephyr: module.yml has only what modules have", set(module) <= {"name", "build", "tests", "samples", "boards", "blobs"})
    check("zephyr: its build section too", set(module["build"]) <= {"cmake", "kconfig", "depends", "settings"})
    check("zephyr: build.cmake leads to a CMakeLists.txt", os.path.isfile(f"{folder}/{module['build']['cmake']}/CMakeLists.txt"))
    check("zephyr: build.kconfig leads to a Kconfig", os.path.isfile(f"{folder}/{module['build']['kconfig']}"))
    for path in module["samples"]:
        for name in os.listdir(f"{folder}/{path}"):
            config = dict(re.findall(r"^CONFIG_(\w+)=(.*)$", text(f"{folder}/{path}/{name}/prj.conf"), re.M))
            check(f"zephyr: {name} takes records as large as servers send them (1,500 unless said)",
                  int(config.get("MBEDTLS_SSL_MAX_CONTENT_LEN", 1500)) >= 16384)
            check(f"zephyr: {name} waits for its address", config.get("NET_CONFIG_NEED_IPV4") == "y")
            sample = yaml(f"{folder}/{path}/{name}/sample.yaml")
            check(f"zephyr: {name}: sample.yaml has a sample and tests with names of its kind",
                  sample["sample"]["name"] and all(re.fullmatch(r"sample\.[a-z0-9_.]+", test) for test in sample["tests"]))
            check(f"zephyr: {name}: has what an application has", all(os.path.isfile(f"{folder}/{path}/{name}/{file}")
                  for file in ("CMakeLists.txt", "prj.conf", "src/main.c")))
