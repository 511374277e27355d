"""Every package of `make release`, used with the tool that its users have, against the simulated service.
Prints "ok - what" / "not ok - what"."""
import glob
import os
import re
import shutil
import subprocess
import sys

sys.path[:0] = ["tests/check", "tests/release"]
import rules  # noqa: E402
from packages import RELEASE, ROOM, TOP, one, ran, text, unpacked  # noqa: E402
from simulated import CERTS, Simulator  # noqa: E402
from telling import check, failures  # noqa: E402

USE = f"{TOP}/tests/release/use.c"
VERSION = re.search(r'^#define AVITO_VERSION "(.*)"', text("avito_messenger.h"), re.M).group(1)


def has(part, name):
    """Is this package of Debian installed, or can it be? Otherwise the part is reported as not run."""
    done = subprocess.run(["sh", "tools/need.sh", name], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"not run - {part}: Debian's package {name} cannot be had")
    return done.returncode == 0


def speaks(what, program, service):
    """Does a program made with a package reach the service?"""
    out = ran(f"{what}: the program reaches the service over TLS", [program], env=service.environment())
    check(f"{what}: and says whose account it is", out is not None and re.fullmatch(r"account \d+\n", out), out)


def same_bytes():
    ran("release: made again", [sys.executable, "tools/release.py", f"{ROOM}/again"])
    first, second = text(f"{RELEASE}/SHA256SUMS"), text(f"{ROOM}/again/SHA256SUMS")
    check("release: the same tree gives the same bytes", first == second, second)
    ran("release: the checksums are right", ["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=RELEASE)


def header(service):
    program = f"{ROOM}/alone"
    ran("header: one file, without jsmn.h", ["gcc", "-x", "c", "-DAVITO_MESSENGER_IMPLEMENTATION", "-DAVITO_WITH_POSIX=1",
        "-DAVITO_WITH_BEARSSL=1", "-D_GNU_SOURCE", f"-I{RELEASE}", USE, "-o", program, "-lbearssl"])
    speaks("header", program, service)


def cmake(service):
    source = f"{unpacked(one('avito-messenger-*.tar.gz'), 'c')}/avito-messenger-{VERSION}"
    prefix = f"{TOP}/{ROOM}/prefix"
    shutil.rmtree(prefix, ignore_errors=True)
    for build in ("cmake", "cmake-found", "cmake-inside", "cmake-fetched"):
        shutil.rmtree(f"{ROOM}/{build}", ignore_errors=True)
    ran("cmake: configured", ["cmake", "-S", source, "-B", f"{ROOM}/cmake", f"-DCMAKE_INSTALL_PREFIX={prefix}"])
    ran("cmake: built", ["cmake", "--build", f"{ROOM}/cmake"])
    ran("cmake: installed", ["cmake", "--install", f"{ROOM}/cmake"])
    for name, option in (("cmake-found", f"-DCMAKE_PREFIX_PATH={prefix}"), ("cmake-inside", f"-DSOURCE={source}"),
                         ("cmake-fetched", f"-DARCHIVE={one('avito-messenger-*.tar.gz')}")):
        ran(f"{name}: configured", ["cmake", "-S", "tests/release/cmake", "-B", f"{ROOM}/{name}", option])
        ran(f"{name}: built", ["cmake", "--build", f"{ROOM}/{name}"])
        speaks(name, f"{ROOM}/{name}/use", service)
    speaks("cmake: avito::header", f"{ROOM}/cmake-found/alone", service)
    other = subprocess.run(["cmake", "-S", "tests/release/cmake", "-B", f"{ROOM}/cmake-none", "-DBEARSSL_LIBRARY=NOTFOUND",
                            "-DAVITO_WITH_BEARSSL=ON", f"-DSOURCE={source}"], capture_output=True, text=True, check=False)
    check("cmake: without BearSSL it says what to install", other.returncode != 0 and "libbearssl-dev" in other.stderr)
    pkg_config(prefix, service)


def pkg_config(prefix, service):
    found = glob.glob(f"{prefix}/**/pkgconfig", recursive=True)
    environment = {**os.environ, "PKG_CONFIG_PATH": ":".join(found)}
    version = ran("pkg-config: finds it", ["pkg-config", "--modversion", "avito_messenger"], env=environment)
    check("pkg-config: the version is the header's", version == VERSION + "\n", version)
    flags = ran("pkg-config: flags", ["pkg-config", "--cflags", "--libs", "avito_messenger"], env=environment) or ""
    ran("pkg-config: a program is built with them", ["gcc", USE, "-o", f"{ROOM}/by-pkg-config", *flags.split()])
    speaks("pkg-config", f"{ROOM}/by-pkg-config", service)


def meson(service):
    """The wrap, with the archive where it says: it names no address while the library has none."""
    folder = f"{ROOM}/meson"
    wrap = text(one("avito_messenger.wrap"))
    check("meson: the wrap leads to no address that does not exist", "source_url" not in wrap, wrap)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(f"{folder}/subprojects/packagefiles")
    shutil.copy("tests/release/meson/meson.build", folder)
    shutil.copy(USE, folder)
    shutil.copy(one("avito_messenger.wrap"), f"{folder}/subprojects")
    shutil.copy(one("avito-messenger-*.tar.gz"), f"{folder}/subprojects/packagefiles")
    ran("meson: the wrap is taken, its hash is right", ["meson", "setup", "build"], cwd=folder)
    ran("meson: built", ["meson", "compile", "-C", "build"], cwd=folder)
    speaks("meson", f"{folder}/build/use", service)


# ---- Debian ----

def lintian(changes):
    """A package that is not in Debian closes no bug there, keeps the standards of Debian 12, and has no homepage
    until facts.txt names one."""
    out = ran("debian: lintian has run", ["lintian", "--pedantic", "--allow-root", "--suppress-tags",
              "initial-upload-closes-no-bugs,out-of-date-standards-version,no-homepage-field", changes])
    found = [line for line in ("E: not run" if out is None else out).splitlines() if re.match(r"[EWIP]", line)]
    check("debian: lintian finds nothing, not even pedantically", not found, found)


def debian(service):
    folder = os.path.abspath(f"{ROOM}/debian")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(f"{RELEASE}/debian", folder)
    ran("debian: unpacked", ["dpkg-source", "-x", os.path.basename(one("debian/*.dsc")), "source"], cwd=folder)
    ran("debian: dpkg-buildpackage", ["dpkg-buildpackage", "-us", "-uc"], cwd=f"{folder}/source")
    lintian(glob.glob(f"{folder}/*.changes")[0])
    root = f"{folder}/root"
    for package in glob.glob(f"{folder}/*avito*.deb"):
        ran(f"debian: {os.path.basename(package)} unpacked", ["dpkg-deb", "-x", package, root])
    avito = f"{root}/usr/bin/avito"
    out = ran("debian: avito runs", [avito, "--version"])
    check("debian: and is this version", (out or "").startswith(f"avito {VERSION}\n"), out)
    out = ran("debian: avito reaches the service", [avito, "chats"], env=service.environment(HOME=folder))
    check("debian: and lists a chat", (out or "").count("\n") == 2, out)
    for path in ("man/man1/avito.1.gz", "man/ru/man1/avito.1.gz", "bash-completion/completions/avito",
                 "zsh/vendor-completions/_avito", "fish/vendor_completions.d/avito.fish"):
        check(f"debian: {path}", os.path.getsize(f"{root}/usr/share/{path}") > 500)
    ran("debian: the header is compiled from its place", ["gcc", "-x", "c", "-DAVITO_MESSENGER_IMPLEMENTATION", "-DAVITO_WITH_POSIX=1",
        "-DAVITO_WITH_BEARSSL=1", "-D_GNU_SOURCE", f"-I{root}/usr/include", USE, "-o", f"{ROOM}/by-deb", "-lbearssl"])
    speaks("debian", f"{ROOM}/by-deb", service)


# ---- OpenWrt ----

def bearssl_source(feed, downloads):
    """BearSSL as its author packs it, from Debian's copy: the same files under the archive's name."""
    subprocess.run(["sh", "examples/firmware/source.sh", "bearssl", f"{ROOM}/source"], check=True, stdout=subprocess.DEVNULL)
    name = re.search(r"^PKG_VERSION:=(.*)", text(f"{feed}/bearssl/Makefile"), re.M).group(1)
    subprocess.run(["tar", "czf", f"{downloads}/bearssl-{name}.tar.gz", "--transform", f"s,^bearssl,bearssl-{name},",
                    "-C", f"{ROOM}/source", "bearssl"], check=True)


def openwrt(service):
    """The feed beside a build system, as its README says."""
    top = unpacked(one("openwrt-feed-*.tar.gz"), "openwrt")
    system = f"{top}/openwrt"
    shutil.copytree("tests/release/openwrt", system)
    os.makedirs(f"{system}/package/ca-bundle")
    os.makedirs(f"{system}/dl")
    bearssl_source(f"{top}/avito-feed", f"{system}/dl")
    rules.openwrt(f"{top}/avito-feed")
    lines = re.search(r"```sh\n(.*?)```", text(f"{top}/avito-feed/README.md"), re.S).group(1)
    ran("openwrt: avito is built as the README says", ["sh", "-ec", lines], cwd=system)
    check("openwrt: the system's own feeds stay", "src-git packages" in text(f"{system}/feeds.conf"))
    out = ran("openwrt: avito reaches the service", [f"{system}/root/usr/bin/avito", "chats"], env=service.environment(HOME=top))
    check("openwrt: and lists a chat", (out or "").count("\n") == 2, out)
    check("openwrt: with the gateway's service", os.access(f"{system}/root/etc/init.d/avito", os.X_OK)
          and {"avito": ["config"], "config": ["avito"]} == {name: os.listdir(f"{system}/root/etc/{name}") for name in ("avito", "config")})


# ---- ESP-IDF and Zephyr: the build systems are stand-ins, compiler and mbedTLS are this machine's ----

def answered(lines):
    """The chats that an example says it answered."""
    return [line.split(":")[0] for line in lines if line.endswith(": answered\n")]


def build_example(name, source, program, environment, service):
    """Configured by CMake and built; the program answers both chats of the service, and the service has the
    answers."""
    build = f"{TOP}/{ROOM}/{name}-build"
    shutil.rmtree(build, ignore_errors=True)
    config = ";".join(('CONFIG_AVITO_CLIENT_ID="client-id-for-tests"',
                       'CONFIG_AVITO_CLIENT_SECRET="client-secret-for-tests-0123456789abcdef"',
                       'CONFIG_AVITO_HOST="localhost"', f"CONFIG_AVITO_PORT={service.ports['tls']}"))
    ran(f"{name}: configured", ["cmake", "-S", source, "-B", build, f"-DSDKCONFIG={config}"], env={**os.environ, **environment})
    if ran(f"{name}: built", ["cmake", "--build", build]) is None:
        return
    running = subprocess.Popen(["stdbuf", "-oL", f"{build}/{program}"], stdout=subprocess.PIPE, text=True, env=service.environment())
    said = []
    while len(said) < 8 and (not said or said[-1] != "") and len(answered(said)) < 2:
        said.append(running.stdout.readline())
    running.terminate()
    said.append(running.communicate()[0])
    chats = answered(said)
    check(f"{name}: the example answers both chats over TLS", len(chats) == 2, said)
    check(f"{name}: and waits for a time that does not come at once", len(said) == 3 or said[0].startswith("unix_time"), said)
    texts = [service.texts(chat)[-1] for chat in chats]
    check(f"{name}: and the service has the answers", texts == ["Здравствуйте!"] * 2, texts)


def chip(component):
    """The component for ESP32-C3: Debian's RISC-V compiler, lwIP's sockets, mbedTLS' headers. picolibc has no
    CLOCK_MONOTONIC; ESP-IDF's C library has. lwIP's port to Unix has two places (tests/transports.mk)."""
    lwip = f"{TOP}/build/port/source/lwip"
    subprocess.run(["sh", "examples/firmware/source.sh", "lwip", "build/port/source"], check=True, stdout=subprocess.DEVNULL)
    headers = f"{TOP}/{ROOM}/esp-idf/headers"
    for name in ("mbedtls", "psa"):  # the first includes the second from 3.6 on
        shutil.copytree(f"/usr/include/{name}", f"{headers}/{name}")
    with open(f"{headers}/chip.h", "w", encoding="ascii") as file:  # Debian's mbedTLS has threads
        file.write("#undef MBEDTLS_THREADING_C\n#undef MBEDTLS_THREADING_PTHREAD\n")
    fake = f"{TOP}/tests/transports"
    folders = (f"{component}/include", f"{fake}/lwip/posix", f"{fake}/lwip", f"{fake}/esp", headers, f"{lwip}/src/include",
               f"{lwip}/src/include/compat/posix", *(f"{lwip}/{port}/include" for port in ("port", "contrib/ports/unix/port")),
               "/usr/lib/picolibc/riscv64-unknown-elf/include")
    ran("esp-idf: the component compiles for ESP32-C3 without a warning",
        ["riscv64-unknown-elf-gcc", "-march=rv32imc", "-mabi=ilp32", "-std=gnu99", "-Os", "-Wall", "-Wextra", "-Werror",
         "-Wno-unused-function", "-D_POSIX_C_SOURCE=200809L", "-D_POSIX_TIMERS=1", "-DCLOCK_MONOTONIC=4",
         "-DESP_PLATFORM=1", "-DAVITO_WITH_POSIX=1",
         "-DMBEDTLS_USER_CONFIG_FILE=<chip.h>",
         "-DAVITO_WITH_FILES=0", "-DAVITO_TINY=1", f"-I{folders[0]}", *(f"-isystem{path}" for path in folders[1:]),
         "-c", f"{component}/avito_messenger.c", "-o", f"{TOP}/{ROOM}/esp-idf/chip.o"])


def esp_idf(has_kconfig):
    component = f"{unpacked(one('avito_messenger-esp-idf-*.tar.gz'), 'esp-idf')}/avito_messenger"
    rules.esp_idf(component)
    chip(component)
    if has_kconfig:
        with Simulator("--chats", "2") as service:
            build_example("esp-idf", f"{component}/examples/answer", "avito_answer",
                          {"IDF_PATH": f"{TOP}/tests/release/esp-idf"}, service)


def zephyr(has_kconfig):
    """The sample with its own roots, whose memory counts, and that of the service behind them."""
    module = f"{unpacked(one('avito_messenger-zephyr-*.tar.gz'), 'zephyr')}/avito_messenger"
    rules.zephyr(module)
    roots = f"{module}/samples/answer/src/roots.h"
    lines = text(roots)
    check("zephyr: the sample has roots", "BEGIN CERTIFICATE" in lines)
    own = "".join(f'    "{line}\\n"\n' for line in text(f"{CERTS}/roots.pem").splitlines())
    with open(roots, "w", encoding="utf-8") as file:
        file.write(f"{lines.rstrip().rstrip(';')}\n{own};\n")
    if has_kconfig:
        with Simulator("--chats", "2") as service:
            build_example("zephyr", f"{module}/samples/answer", "app",
                          {"ZEPHYR_BASE": f"{TOP}/tests/release/zephyr"}, service)


# ---- Arduino ----

def arduino_room():
    """Libraries and a platform as Arduino's tools expect them; the core is the one of tests/transports."""
    libraries = unpacked(one("AvitoMessenger-*.zip"), "arduino/libraries")
    shutil.copytree("tests/release/arduino/ArduinoBearSSL", f"{libraries}/ArduinoBearSSL")
    platform = os.path.abspath(f"{ROOM}/arduino/hardware/debian/boards")
    shutil.rmtree(f"{ROOM}/arduino/hardware", ignore_errors=True)
    shutil.copytree("tests/transports/arduino", f"{platform}/cores/core",
                    ignore=shutil.ignore_patterns("sketch", "*.cpp"))
    for folder in (f"{libraries}/ArduinoBearSSL/src", f"{platform}/sdk"):  # where sketches and cores expect it
        shutil.copytree("/usr/include/bearssl", f"{folder}/bearssl")
    shutil.copytree("tests/transports/esp", f"{platform}/sdk/esp")
    for name in ("boards.txt", "platform.txt"):
        shutil.copy(f"tests/release/arduino/{name}", platform)
    return libraries


def compiled(libraries, name, sketch):
    """The sketch and what it includes, by the compiler that boards.txt names for this board."""
    platform = os.path.abspath(f"{ROOM}/arduino/hardware/debian/boards")
    board = dict(re.findall(rf"^{name}\.(\w+)=(.*)$", text("tests/release/arduino/boards.txt"), re.M))
    flags = board["flags"].replace("{runtime.platform.path}", platform).split()
    folders = [f"{libraries}/AvitoMessenger/src", f"{platform}/cores/core"]
    folders += [] if name == "esp8266" else [f"{libraries}/ArduinoBearSSL/src"]
    return subprocess.run(
        [board["cxx"], *flags, "-Os", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Wno-unused-function", "-fno-rtti",
         "-fno-exceptions", "-DARDUINO=10819", *(f"-I{folder}" for folder in folders), "-include", "Arduino.h", "-x", "c++",
         "-c", f"{libraries}/AvitoMessenger/examples/{sketch}/{sketch}.ino", "-o", os.path.abspath(f"{ROOM}/arduino/{name}.o")],
        capture_output=True, text=True, check=False)


def arduino_build(libraries, name, sketch):
    out = os.path.abspath(f"{ROOM}/arduino/{name}")
    shutil.rmtree(out, ignore_errors=True)
    for folder in (out, f"{ROOM}/arduino/tools"):
        os.makedirs(folder, exist_ok=True)
    return subprocess.run(
        ["arduino-builder", "-compile", "-hardware", "/usr/share/arduino-builder", "-hardware", f"{ROOM}/arduino/hardware",
         "-tools", f"{ROOM}/arduino/tools", "-libraries", libraries, "-fqbn", f"debian:boards:{name}", "-build-path", out,
         "-ide-version", "10819", "-warnings", "all", f"{libraries}/AvitoMessenger/examples/{sketch}/{sketch}.ino"],
        capture_output=True, text=True, check=False)


def arduino():
    libraries = arduino_room()
    rules.arduino(f"{libraries}/AvitoMessenger")
    rules.platformio(f"{libraries}/AvitoMessenger")
    ways = [("the compiler", compiled)]
    ways += [("arduino-builder", arduino_build)] if has("sketches by arduino-builder", "arduino-builder") else []
    for way, build in ways:
        for name, sketch in (("esp8266", "Ten_lines_ESP8266"), ("esp32", "Ten_lines_ESP32"), ("other", "Ten_lines_Ethernet")):
            done = build(libraries, name, sketch)
            check(f"arduino: {sketch} is built by {way}", done.returncode == 0, (done.stdout + done.stderr)[-3000:])
            check(f"arduino: {sketch} without a warning", "warning" not in done.stderr, done.stderr[-3000:])
        done = build(libraries, "uno", "Ten_lines_Ethernet")
        check(f"arduino: AVR is refused by {way}", done.returncode != 0)
        check("arduino: and it says why", "needs an int of 32 bits" in done.stderr, done.stderr[:2000])


def readmes():
    """What the README of a package links to is in the package."""
    archives = [path for kind in ("zip", "tar.gz") for path in glob.glob(f"{RELEASE}/*.{kind}")]
    for archive in sorted(archives):
        for path in glob.glob(f"{unpacked(archive, 'readme')}/*/README.md"):
            links = re.findall(r"\]\(([^)#:]+)\)", text(path))
            gone = [link for link in links if not os.path.exists(os.path.join(os.path.dirname(path), link))]
            check(f"{os.path.basename(archive)}: its README links to nothing that is not in it", not gone, gone)


# ---- who publishes it ----

# Fields that may not be empty, though nobody has given an address yet.
NEEDED = {"library.properties": r"^(maintainer|url)=", "changelog": r"^ -- ", "control": r"^Maintainer: ",
          "copyright": r"^Source: ", "Makefile": r"^PKG_MAINTAINER:="}


def addresses(folder):
    """(file, line) of each address of nobody in the packages of a release."""
    found = []
    for archive in sorted(glob.glob(f"{folder}/*.zip") + glob.glob(f"{folder}/*.gz") + glob.glob(f"{folder}/debian/*.debian.tar.xz")):
        for path in glob.glob(f"{unpacked(archive, 'addresses')}/**", recursive=True):
            lines = text(path).splitlines() if os.path.isfile(path) else []
            found += [(os.path.basename(path), line) for line in lines if "example.org" in line]
    return found


def published():
    """Without an address of ours packages name one only where they must; with one they are as their rules say, and
    name no other."""
    idle = [(name, line) for name, line in addresses(RELEASE) if not re.search(NEEDED.get(name, "$^"), line)]
    check("published: an address that nobody has given stands where one must, and nowhere else", not idle, idle)
    folder, facts = f"{ROOM}/published", f"{ROOM}/facts.txt"
    given = {"home": "https://packages.test/avito_messenger", "email": "packager@packages.test"}
    with open(facts, "w", encoding="utf-8") as file:
        file.write(re.sub(r"^(home|email) *=.*$", lambda row: f"{row.group(1)} = {given[row.group(1)]}",
                          text("tools/release/facts.txt"), flags=re.M))
    ran("published: made", [sys.executable, "tools/release.py", folder, facts])
    check("published: no other address is left", not addresses(folder), addresses(folder))
    libraries = unpacked(one("AvitoMessenger-*.zip", folder), "published-arduino")
    rules.arduino(f"{libraries}/AvitoMessenger")
    rules.platformio(f"{libraries}/AvitoMessenger")
    rules.esp_idf(f"{unpacked(one('avito_messenger-esp-idf-*.tar.gz', folder), 'published-esp-idf')}/avito_messenger")
    rules.openwrt(f"{unpacked(one('openwrt-feed-*.tar.gz', folder), 'published-openwrt')}/avito-feed")
    wrap = text(one("avito_messenger.wrap", folder))
    check("published: the wrap leads to the release", f"\nsource_url = {given['home']}/releases/download/" in wrap, wrap)
    check("published: Debian's packages name the page", f"Homepage: {given['home']}\n" in text(one("debian/*.dsc", folder)))


def main():
    os.makedirs(ROOM, exist_ok=True)
    before = sorted(os.listdir())
    if ran("release: made", [sys.executable, "tools/release.py"]) is None:
        return 1
    check("release: nothing new at the top level", sorted(os.listdir()) == before)
    same_bytes()
    readmes()
    published()
    with Simulator("--chats", "2") as service:
        for part in (header, cmake, meson, debian, openwrt):
            part(service)
    has_kconfig = has("examples of ESP-IDF and Zephyr", "kconfig-frontends-nox")
    esp_idf(has_kconfig)
    zephyr(has_kconfig)
    arduino()
    return failures != []


if __name__ == "__main__":
    sys.exit(main())
