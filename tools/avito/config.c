/* config.c - reads the configuration by inih, and chooses an account. */
#include "config.h"
#include "command.h"
#include "ledger.h"
#include "russian.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what may stand in it ---- */

const config_key config_keys[] = {
    {SECTION_ACCOUNT,
     "client_id",
     {"from the developer page of the account", "со страницы разработчика учётной записи"}},
    {SECTION_ACCOUNT,
     "client_secret",
     {"from the same page; the configuration must then be 0600",
      "оттуда же; тогда у файла настроек должны быть права 0600"}},
    {SECTION_ACCOUNT,
     "client_secret_file",
     {"a file, 0600, with the secret in its first line, such as systemd's LoadCredential gives",
      "файл с правами 0600, в первой строке которого secret, например от LoadCredential в "
      "systemd"}},
    {SECTION_ACCOUNT,
     "consent",
     {"yes: the account of another person, through avito login --browser",
      "yes: чужая учётная запись, через avito login --browser"}},
    {SECTION_ACCOUNT,
     "host",
     {"another service; api.avito.ru where it is missing", "другой сервис; без него api.avito.ru"}},
    {SECTION_ACCOUNT, "port", {"443 where it is missing", "без него 443"}},
    {SECTION_ACCOUNT,
     "ca_file",
     {"trust anchors as PEM; the system's where it is missing",
      "корневые сертификаты PEM; без него системные"}},
    {SECTION_ACCOUNT,
     "notify",
     {"gateway: chats that Home Assistant can write into, separated by blanks",
      "gateway: чаты, в которые может писать Home Assistant, через пробел"}},
    {SECTION_ACCOUNT,
     "mark_as_read",
     {"gateway: yes: a chat is marked as read when its messages are with the broker; else no",
      "gateway: yes: чат отмечается прочитанным, когда его сообщения у брокера; иначе no"}},
    {SECTION_ACCOUNT,
     "names",
     {"gateway: yes (default): messages say who wrote them and about what; that costs a request "
      "when the chat is not the one before; no: they do not",
      "gateway: yes (по умолчанию): в сообщениях есть имя автора и объявление, на что уходит "
      "запрос при смене чата; no: их нет"}},
    {SECTION_ACCOUNT,
     "rate",
     {"gateway: requests a minute at most; no limit of ours where it is missing",
      "gateway: не больше стольких запросов в минуту; без него своего предела нет"}},
    {SECTION_ACCOUNT,
     "poll",
     {"gateway: seconds between polls; where it is missing 15, with notifications 60",
      "gateway: секунд между опросами; без него 15, с уведомлениями 60"}},
    {SECTION_MQTT, "host", {"the broker", "брокер"}},
    {SECTION_MQTT, "port", {"1883 by default, 8883 with TLS", "без него 1883, с TLS 8883"}},
    {SECTION_MQTT, "user", {"the broker's user", "пользователь брокера"}},
    {SECTION_MQTT,
     "password",
     {"the broker's password; the configuration must then be 0600",
      "пароль брокера; тогда у файла настроек должны быть права 0600"}},
    {SECTION_MQTT,
     "password_file",
     {"a file, 0600, with the password in its first line",
      "файл с правами 0600, в первой строке которого пароль"}},
    {SECTION_MQTT, "tls", {"yes or no (default)", "yes или no (по умолчанию)"}},
    {SECTION_MQTT,
     "ca_file",
     {"the broker's trust anchors; the system's where it is missing",
      "корневые сертификаты брокера; без него системные"}},
    {SECTION_MQTT,
     "cert_file",
     {"a certificate of ours as PEM, for a broker that asks for one",
      "наш сертификат PEM, если брокер его спрашивает"}},
    {SECTION_MQTT,
     "key_file",
     {"its key as PEM, 0600, without a passphrase", "его ключ PEM без пароля, с правами 0600"}},
    {SECTION_GATEWAY,
     "name",
     {"in avito/gateway/NAME/status; main where it is missing",
      "в avito/gateway/NAME/status; без него main"}},
    {SECTION_GATEWAY,
     "hold",
     {"yes: a message that nobody listens to comes again; no: it does not; auto (default): yes, if "
      "the broker can tell",
      "yes: сообщение, которое никто не слушает, придёт снова; no: не придёт; auto (по умолчанию): "
      "yes, если брокер это сообщает"}},
    {SECTION_GATEWAY,
     "discovery",
     {"Home Assistant's prefix; homeassistant where it is missing; no: none",
      "префикс Home Assistant; без него homeassistant; no: не нужно"}},
    {SECTION_GATEWAY,
     "picture_max",
     {"largest picture in MB, held in memory while it is sent; 6 where it is missing",
      "самая большая картинка в МБ, лежит в памяти, пока отправляется; без него 6"}},
    {SECTION_GATEWAY,
     "window",
     {"commands that the broker may send ahead; 20 where it is missing",
      "сколько команд брокер может прислать вперёд; без него 20"}},
    {SECTION_GATEWAY,
     "webhook_url",
     {"where the service reaches us, https://..., without the secret path, which is made here",
      "где нас достанет сервис, https://..., без секретного пути, который создаётся здесь"}},
    {SECTION_GATEWAY,
     "listen",
     {"address and port for notifications, behind a proxy that ends TLS",
      "адрес и порт для уведомлений, за прокси, который снимает TLS"}},
    {SECTION_FLEET,
     "name",
     {"several gateways share the accounts: the same name on each",
      "несколько шлюзов делят учётные записи: имя у всех одно"}},
    {SECTION_FLEET,
     "node",
     {"this gateway, another name on each; the machine's name where it is missing",
      "этот шлюз, у каждого своё имя; без него имя машины"}},
    {SECTION_FLEET,
     "secret",
     {"at least 16 bytes, the same on each; the configuration must then be 0600",
      "не меньше 16 байт, у всех один; тогда у файла настроек должны быть права 0600"}},
    {SECTION_FLEET,
     "secret_file",
     {"a file, 0600, with the secret in its first line",
      "файл с правами 0600, в первой строке которого secret"}},
};

const size_t config_keys_count = sizeof config_keys / sizeof *config_keys;

static enum section_kind kind_of(const char *section)
{
    return strcmp(section, "mqtt") == 0      ? SECTION_MQTT
           : strcmp(section, "gateway") == 0 ? SECTION_GATEWAY
           : strcmp(section, "fleet") == 0   ? SECTION_FLEET
                                             : SECTION_ACCOUNT;
}

static bool is_known(const char *section, const char *key)
{
    for (size_t i = 0; i < config_keys_count; i++) {
        if (config_keys[i].section == kind_of(section) && strcmp(config_keys[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

bool is_account_name(const char *name)
{
    const size_t len = strlen(name);

    if (len == 0 || len > CONFIG_NAME_MAX || kind_of(name) != SECTION_ACCOUNT) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)name[i]) && name[i] != '-' && name[i] != '_') {
            return false;
        }
    }
    return true;
}

/* ---- reading ---- */

struct reading {
    config *c;
    FILE *file;
    const char *path;
    int line;
    int status;
};

static int refuse(struct reading *r, sentence what)
{
    if (r->status == EXIT_DONE) {
        fprintf(stderr, "%s:%d: %s\n", r->path, r->line, say(what));
    }
    r->status = EXIT_USAGE;
    return 0;
}

/* Appends a row of section, key and value, with copies of all three. False: out of memory. */
static bool keep(config *c, const char *section, const char *key, const char *value)
{
    const size_t section_size = strlen(section) + 1, key_size = strlen(key) + 1,
                 size = strlen(value) + 1;
    config_row *row = malloc(sizeof *row + section_size + key_size + size);

    if (row == NULL) {
        return false;
    }
    row->next = NULL;
    row->section = memcpy(row->text, section, section_size);
    row->key = memcpy(row->text + section_size, key, key_size);
    row->value = memcpy(row->text + section_size + key_size, value, size);
    *c->end = row;
    c->end = &row->next;
    return true;
}

/* inih cuts lines of more than 200 bytes and takes " ;" for a comment: both would silently change a
 * value. */
static char *read_line(char *to, int size, void *from)
{
    struct reading *r = from;
    char *line = fgets(to, size, r->file);

    if (line == NULL) {
        return NULL;
    }
    r->line++;
    if (strchr(line, '\n') == NULL && !feof(r->file)) {
        refuse(r, strlen(line) + 1 < (size_t)size
                      ? TEXT("this line has a NUL byte", "в строке есть нулевой байт")
                      : TEXT("this line has over 198 bytes: put a long secret into a file and name "
                             "it with client_secret_file",
                             "в строке больше 198 байт: положите длинный secret в файл и укажите "
                             "его в client_secret_file"));
        return NULL;
    }
    if (line[0] != ';' && line[0] != '#' &&
        (strstr(line, " ;") != NULL || strstr(line, "\t;") != NULL)) {
        refuse(r, TEXT("a blank and a semicolon would begin a comment here: put the comment on a "
                       "line of its own",
                       "пробел и точка с запятой начали бы здесь комментарий: вынесите его на "
                       "отдельную строку"));
        return NULL;
    }
    return line;
}

/* inih's handler: checks a line, and keeps its value. 0 stops the reading. */
static int take(void *user, const char *section, const char *key, const char *value)
{
    struct reading *r = user;

    if (section[0] == '\0') {
        return refuse(r, TEXT("a key before the first [account]", "ключ до первой секции [имя]"));
    }
    if (kind_of(section) == SECTION_ACCOUNT && !is_account_name(section)) {
        return refuse(
            r, TEXT("an account's name has 1 to 32 letters, digits, - or _, and is not fleet",
                    "имя учётной записи: от 1 до 32 латинских букв, цифр, - и _, но не fleet"));
    }
    if (!is_known(section, key)) {
        return refuse(r, TEXT("this key is not known in this section; see: man avito",
                              "в этой секции нет такого ключа; см.: man avito"));
    }
    if (strcmp(key, "consent") == 0 && strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
        return refuse(r, TEXT("consent is yes or no", "consent: yes или no"));
    }
    if (config_value(r->c, section, key) != NULL) {
        return refuse(r, TEXT("this key stands twice", "этот ключ указан дважды"));
    }
    if (!keep(r->c, section, key, value)) {
        return refuse(r, TEXT("out of memory", "не хватает памяти"));
    }
    return 1;
}

/* Can other users read it? Where it is not ours, its group, or an ACL whose mask stands in the group's place,
 * may be what gives it to us: so systemd hands over the files of LoadCredential. */
static bool is_readable_by_others(FILE *file)
{
    struct stat s;

    return fstat(fileno(file), &s) == 0 && (s.st_mode & (s.st_uid == geteuid() ? 077 : 007)) != 0;
}

bool config_is_private(FILE *file, const char *path)
{
    if (!is_readable_by_others(file)) {
        return true;
    }
    complain(TEXT("%s: others can read it: chmod 600 %s\n",
                  "%s: его могут прочесть другие: chmod 600 %s\n"),
             path, path);
    return false;
}

/* Other users must not be able to read a file with a secret in it. The first `before` rows are from
 * other files. */
static int check_mode(struct reading *r, config_row *const *before)
{
    for (const config_row *row = *before; row != NULL; row = row->next) {
        if (strcmp(row->key, "client_secret") == 0 || strcmp(row->key, "password") == 0 ||
            strcmp(row->key, "secret") == 0) {
            return config_is_private(r->file, r->path) ? EXIT_DONE : EXIT_USAGE;
        }
    }
    return EXIT_DONE;
}

static int read_file(config *c, const char *path, bool must_exist)
{
    struct reading r = {c, fopen(path, "r"), path, 0, EXIT_DONE};
    config_row *const *before = c->end;
    int bad_line;

    if (r.file == NULL) {
        if (errno == ENOENT && !must_exist) {
            return EXIT_DONE;
        }
        system_error(path);
        return EXIT_USAGE;
    }
    bad_line = ini_parse_stream(read_line, &r, take, &r);
    if (r.status == EXIT_DONE && bad_line != 0) {
        r.line = bad_line > 0 ? bad_line : r.line;
        refuse(&r, TEXT("this is neither [section] nor key = value",
                        "это не [секция] и не ключ = значение"));
    }
    if (r.status == EXIT_DONE && ferror(r.file)) { /* it is only a part, or a folder */
        system_error(path);
        r.status = EXIT_USAGE;
    }
    if (r.status == EXIT_DONE) {
        r.status = check_mode(&r, before);
    }
    fclose(r.file);
    return r.status;
}

/* $NAME/avito/rest, or ~/fallback/avito/rest; "" where neither is set. False after saying that it is too long. */
static bool folder_of(const char *variable, const char *fallback, const char *rest, char *out,
                      size_t cap)
{
    const char *base = getenv(variable);
    const char *home = getenv("HOME");
    int n = 0;

    out[0] = '\0';
    if (base != NULL && base[0] == '/') {
        n = snprintf(out, cap, "%s/avito%s", base, rest);
    } else if (home != NULL && home[0] == '/') {
        n = snprintf(out, cap, "%s/%s/avito%s", home, fallback, rest);
    }
    if ((size_t)n >= cap) {
        errno = ENAMETOOLONG;
        system_error(base != NULL ? variable : "HOME");
    }
    return (size_t)n < cap;
}

int config_load(config *c, const char *path)
{
    memset(c, 0, sizeof *c);
    c->end = &c->rows;
    if (!folder_of("XDG_STATE_HOME", ".local/state", "", c->folder, sizeof c->folder)) {
        return EXIT_USAGE;
    }
    if (path != NULL) {
        snprintf(c->path, sizeof c->path, "%s", path);
        return read_file(c, c->path, true);
    }
    if (!folder_of("XDG_CONFIG_HOME", ".config", "/config", c->path, sizeof c->path)) {
        return EXIT_USAGE;
    }
    if (c->path[0] == '\0') {
        strcpy(c->path, "$XDG_CONFIG_HOME/avito/config"); /* for what is said of it */
        return EXIT_DONE;
    }
    return read_file(c, c->path, false);
}

int config_copy(config *to, const config *from)
{
    *to = *from;
    to->rows = NULL;
    to->end = &to->rows;
    for (const config_row *row = from->rows; row != NULL; row = row->next) {
        if (!keep(to, row->section, row->key, row->value)) {
            config_free(to);
            return EXIT_LOCAL;
        }
    }
    return EXIT_DONE;
}

void config_take(config *to, config *from)
{
    config_free(to);
    *to = *from;
    to->end = from->rows != NULL ? from->end : &to->rows;
    from->rows = NULL;
}

void config_free(config *c)
{
    while (c->rows != NULL) {
        config_row *row = c->rows;

        c->rows = row->next;
        memset(row->text, 0, (size_t)(row->value - row->text) + strlen(row->value));
        free(row);
    }
    c->end = &c->rows;
}

const char *config_value(const config *c, const char *section, const char *key)
{
    for (const config_row *row = c->rows; row != NULL; row = row->next) {
        if (strcmp(row->section, section) == 0 && strcmp(row->key, key) == 0) {
            return row->value;
        }
    }
    return NULL;
}

static bool names_a_file(const char *key)
{
    const size_t len = strlen(key);

    return len > 5 && strcmp(key + len - 5, "_file") == 0;
}

uint64_t config_hash(uint64_t so_far, const config_row *row)
{
    struct stat file;

    so_far = ledger_hash(so_far, row->key, strlen(row->key) + 1);
    so_far = ledger_hash(so_far, row->value, strlen(row->value) + 1);
    if (names_a_file(row->key) && stat(row->value, &file) == 0) {
        const int64_t which[] = {(int64_t)file.st_ino, (int64_t)file.st_size,
                                 (int64_t)file.st_mtim.tv_sec, (int64_t)file.st_mtim.tv_nsec};

        so_far = ledger_hash(so_far, which, sizeof which);
    }
    return so_far;
}

int config_wrong(const char *section, sentence what)
{
    fprintf(stderr, "avito gateway: [%s] %s\n", section, say(what));
    return EXIT_USAGE;
}

bool config_number(const config *c, const char *section, const char *key, long high, long *out)
{
    const char *value = config_value(c, section, key);
    char *end;
    const long number = value != NULL ? strtol(value, &end, 10) : 0;

    if (value == NULL) {
        return true;
    }
    if (end == value || *end != '\0' || number < 1 || number > high) {
        complain(TEXT("avito gateway: [%s] %s: a number from 1 to %ld\n",
                      "avito gateway: [%s] %s: число от 1 до %ld\n"),
                 section, key, high);
        return false;
    }
    *out = number;
    return true;
}

bool config_flag(const config *c, const char *section, const char *key, bool *out)
{
    const char *value = config_value(c, section, key);

    if (value != NULL && strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
        complain(
            TEXT("avito gateway: [%s] %s: yes or no\n", "avito gateway: [%s] %s: yes или no\n"),
            section, key);
        return false;
    }
    *out = value != NULL ? strcmp(value, "yes") == 0 : *out;
    return true;
}

/* Is this the first row of its section? */
static bool is_first(const config *c, const config_row *of)
{
    const config_row *row = c->rows;

    while (strcmp(row->section, of->section) != 0) {
        row = row->next;
    }
    return row == of;
}

/* The rows of a section usually follow each other. So with a thousand accounts, few rows are searched for from the
 * beginning. */
const config_row *config_next_account(const config *c, const config_row *after)
{
    const config_row *before = after, *row = after != NULL ? after->next : c->rows;

    while (row != NULL && ((before != NULL && strcmp(before->section, row->section) == 0) ||
                           kind_of(row->section) != SECTION_ACCOUNT || !is_first(c, row))) {
        before = row;
        row = row->next;
    }
    return row;
}

/* ---- one account ---- */

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

static int no_account(const config *c, const char *name)
{
    if (name != NULL) {
        complain(TEXT("there is no account %s: give it a section in %s, or: avito login %s\n",
                      "нет учётной записи %s: заведите для неё секцию в %s или: avito login %s\n"),
                 name, c->path, name);
    } else {
        complain(TEXT("no account yet. Begin with: avito login\n",
                      "учётной записи ещё нет. Начните с: avito login\n"));
    }
    return EXIT_USAGE;
}

/* Says that several accounts could be meant, and names them. */
static int ambiguous(const config *c, bool environment)
{
    fprintf(
        stderr, "%s",
        environment
            ? say(TEXT(
                  "AVITO_CLIENT_ID is set and accounts are configured; name one with --account:",
                  "задан AVITO_CLIENT_ID и настроены учётные записи; назовите одну ключом "
                  "--account:"))
            : say(TEXT("several accounts are configured; name one with --account:",
                       "настроено несколько учётных записей; назовите одну ключом --account:")));
    for (const config_row *row = NULL; (row = config_next_account(c, row)) != NULL;) {
        fprintf(stderr, " %s", row->section);
    }
    fputc('\n', stderr);
    return EXIT_USAGE;
}

const char *config_secret(config *c, const char *section, const char *key, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[1024] = "";
    const bool read = file != NULL && fgets(line, sizeof line, file) != NULL;
    const size_t len = strcspn(line, "\r\n");
    const bool failed = file == NULL || ferror(file);
    bool ok = read && len > 0 && len < sizeof line - 1;

    line[len] = '\0';
    ok = ok && keep(c, section, key, line);
    memset(line, 0, sizeof line);
    if (failed) {
        system_error(path);
    } else if (!ok) {
        complain(TEXT("%s: no secret in line 1, or one too long\n",
                      "%s: в строке 1 нет secret, или он слишком длинный\n"),
                 path);
    } else { /* only a warning: containers mount secrets that all can read */
        (void)config_is_private(file, path);
    }
    if (file != NULL) {
        fclose(file);
    }
    return ok ? config_value(c, section, key) : NULL;
}

static const char *choose(const config *c, const char *name, bool environment)
{
    const config_row *only = config_next_account(c, NULL);

    if (name != NULL) {
        return name;
    }
    if (environment) {
        return "default";
    }
    return only != NULL ? only->section : NULL;
}

bool config_make_folder(const char *folder, char problem[CONFIG_PROBLEM_SIZE])
{
    char part[4096];

    if (folder[0] == '\0') {
        snprintf(problem, CONFIG_PROBLEM_SIZE, "%s",
                 say(TEXT("neither XDG_STATE_HOME nor HOME is set: nowhere to keep anything",
                          "не заданы ни XDG_STATE_HOME, ни HOME: негде хранить данные")));
        return false;
    }
    problem[0] = '\0';
    for (size_t i = 1; folder[i - 1] != '\0'; i++) {
        if (folder[i] != '/' && folder[i] != '\0') {
            continue;
        }
        memcpy(part, folder, i);
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            snprintf(problem, CONFIG_PROBLEM_SIZE, "%s: %s", part, system_text(errno));
            return false;
        }
    }
    return true;
}

static int take_port(const char *value, account *out)
{
    char *end;
    const unsigned long port = value != NULL ? strtoul(value, &end, 10) : 0;

    if (value != NULL && (end == value || *end != '\0' || port == 0 || port > 65535)) {
        complain(TEXT("the port (AVITO_PORT, or port = ) is a number from 1 to 65535\n",
                      "порт (AVITO_PORT или port = ) - число от 1 до 65535\n"));
        return EXIT_USAGE;
    }
    out->port = (unsigned short)port;
    return EXIT_DONE;
}

/* Where `avito login` keeps the credentials: in the account's state folder. */
static int read_credentials(config *c, const char *name)
{
    char path[sizeof c->folder + CONFIG_NAME_MAX + 32];

    snprintf(path, sizeof path, "%s/%s/credentials", c->folder, name);
    return c->folder[0] != '\0' ? read_file(c, path, false) : EXIT_DONE;
}

int config_each_stored(const config *c, int (*visit)(void *ctx, const char *name), void *ctx)
{
    DIR *list = opendir(c->folder);
    const struct dirent *entry;
    int status = EXIT_DONE;

    while (list != NULL && status == EXIT_DONE && (entry = readdir(list)) != NULL) {
        char path[sizeof c->folder + sizeof entry->d_name + 32];

        snprintf(path, sizeof path, "%s/%s/credentials", c->folder, entry->d_name);
        if (is_account_name(entry->d_name) && access(path, R_OK) == 0) {
            status = visit(ctx, entry->d_name);
        }
    }
    if (list != NULL) {
        closedir(list);
    }
    return status;
}

static int read_stored(void *ctx, const char *name)
{
    return read_credentials(ctx, name);
}

/* Says which half of the credentials is missing. */
static int half_an_account(const config *c, const account *of, bool environment)
{
    if (environment) {
        complain(TEXT("AVITO_CLIENT_ID is set, and AVITO_CLIENT_SECRET is not\n",
                      "AVITO_CLIENT_ID задан, а AVITO_CLIENT_SECRET нет\n"));
    } else {
        complain(TEXT("%s: [%s] has no %s\n", "%s: в [%s] нет %s\n"), c->path, of->name,
                 of->client_id == NULL ? "client_id" : "client_secret");
    }
    return EXIT_USAGE;
}

/* Fills in the credentials, from the environment or from the account's section. */
static int fill_account(config *c, account *out, bool environment)
{
    const char *file, *consent = config_value(c, out->name, "consent");

    out->is_by_consent = !environment && consent != NULL && strcmp(consent, "yes") == 0;
    out->client_id =
        environment ? from_environment("AVITO_CLIENT_ID") : config_value(c, out->name, "client_id");
    out->client_secret = environment ? from_environment("AVITO_CLIENT_SECRET")
                                     : config_value(c, out->name, "client_secret");
    file = config_value(c, out->name, "client_secret_file");
    if (!environment && out->client_secret == NULL && file != NULL) {
        out->client_secret = config_secret(c, out->name, "client_secret", file);
        if (out->client_secret == NULL) {
            return EXIT_USAGE;
        }
    }
    if (out->client_id == NULL && out->client_secret == NULL) {
        return no_account(c, out->name);
    }
    return out->client_id != NULL && out->client_secret != NULL
               ? EXIT_DONE
               : half_an_account(c, out, environment);
}

int config_service(config *c, const char *name, account *out)
{
    const char *port = from_environment("AVITO_PORT");

    snprintf(out->name, sizeof out->name, "%s", name);
    if (c->folder[0] != '\0') {
        snprintf(out->folder, sizeof out->folder, "%s/%s", c->folder, out->name);
    }
    out->host = from_environment("AVITO_HOST");
    out->host = out->host != NULL ? out->host : config_value(c, out->name, "host");
    out->ca_file = from_environment("AVITO_CA_FILE");
    out->ca_file = out->ca_file != NULL ? out->ca_file : config_value(c, out->name, "ca_file");
    return take_port(port != NULL ? port : config_value(c, out->name, "port"), out);
}

int config_choose(config *c, const char *name, account *out)
{
    const bool environment = from_environment("AVITO_CLIENT_ID") != NULL;
    const config_row *first;
    const char *chosen;
    int status;

    memset(out, 0, sizeof *out);
    name = name != NULL ? name : from_environment("AVITO_ACCOUNT");
    if (name != NULL && !is_account_name(name)) { /* it becomes part of a path */
        return no_account(c, name);
    }
    status = read_credentials(c, name != NULL ? name : "default");
    if (status == EXIT_DONE && name == NULL && !environment &&
        config_next_account(c, NULL) == NULL) {
        status = config_each_stored(c, read_stored, c);
    }
    if (status != EXIT_DONE) {
        return status;
    }
    first = config_next_account(c, NULL);
    if (name == NULL && first != NULL && (environment || config_next_account(c, first) != NULL)) {
        return ambiguous(c, environment);
    }
    chosen = choose(c, name, environment);
    if (chosen == NULL) {
        return no_account(c, name);
    }
    status = config_service(c, chosen, out);
    return status == EXIT_DONE
               ? fill_account(c, out,
                              environment &&
                                  (name == NULL || config_value(c, name, "client_id") == NULL))
               : status;
}
