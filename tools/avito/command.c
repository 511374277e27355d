/* command.c - the tables of commands and options, and the reader of the command line. */
#include "command.h"
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const option_row options[OPTIONS] = {
    [OPTION_HELP] = {"help", 'h', NULL, NULL, {"show this help", "показать эту справку"}},
    [OPTION_VERSION] = {"version",
                        'V',
                        NULL,
                        NULL,
                        {"show the version and what it was built with",
                         "показать версию и состав сборки"}},
    [OPTION_ACCOUNT] = {"account",
                        'a',
                        "NAME",
                        NULL,
                        {"the account of the configuration", "учётная запись из настроек"}},
    [OPTION_CONFIG] =
        {"config", 0, "FILE", NULL, {"another configuration file", "другой файл настроек"}},
    [OPTION_JSON] = {"json",
                     'j',
                     NULL,
                     NULL,
                     {"one JSON object a line, with the service's names",
                      "по объекту JSON в строке, с именами сервиса"}},
    [OPTION_FORMAT] = {"format",
                       0,
                       "TEXT",
                       NULL,
                       {"one line each, %(name) is replaced: '%(name) %(text)'",
                        "своя строка, %(имя) заменяется: '%(name) %(text)'"}},
    [OPTION_QUIET] =
        {"quiet", 'q', NULL, NULL, {"no progress, no remarks", "без хода работы и замечаний"}},
    [OPTION_DRY_RUN] = {"dry-run",
                        'n',
                        NULL,
                        NULL,
                        {"show what would be sent, and send nothing",
                         "показать, что было бы отправлено, и не отправлять"}},
    [OPTION_UNREAD] = {"unread", 'u', NULL, NULL, {"only unread ones", "только непрочитанные"}},
    [OPTION_ITEM] = {"item",
                     'i',
                     "ID",
                     NULL,
                     {"only for this listing; may be given more than once",
                      "только по этому объявлению; можно повторять"}},
    [OPTION_TYPE] =
        {"type", 't', "TYPE", "u2i u2u a2u", {"only chats of this type", "только чаты этого вида"}},
    [OPTION_LIMIT] = {"limit", 'l', "N", NULL, {"at most so many", "не больше стольких"}},
    [OPTION_ALL] =
        {"all", 0, NULL, NULL, {"all that the service shows", "все, что показывает сервис"}},
    [OPTION_SPLIT] = {"split",
                      0,
                      NULL,
                      NULL,
                      {"a long text in several messages", "длинный текст несколькими сообщениями"}},
    [OPTION_IMAGE] = {"image", 0, "FILE", NULL, {"send this picture", "отправить эту картинку"}},
    [OPTION_REASON] = {"reason",
                       0,
                       "WORD",
                       "spam fraud insult other",
                       {"why: spam, fraud, insult or other",
                        "почему: spam, fraud, insult или other"}},
    [OPTION_SAVE] = {"save", 0, "DIR", NULL, {"download into this folder", "скачать в эту папку"}},
    [OPTION_EXEC] = {"exec",
                     'x',
                     "COMMAND",
                     NULL,
                     {"run for each message, which it reads as JSON",
                      "запускать на каждое сообщение, оно приходит как JSON"}},
    [OPTION_COUNT] = {"count",
                      'c',
                      "N",
                      NULL,
                      {"end after so many messages", "закончить после стольких сообщений"}},
    [OPTION_TIMEOUT] = {"timeout",
                        'T',
                        "SECONDS",
                        NULL,
                        {"end after so long; status 7 when nothing came",
                         "закончить через столько секунд; код 7, если ничего не пришло"}},
    [OPTION_SINCE] =
        {"since",
         0,
         "TIME",
         NULL,
         {"begin at this time, in UTC: 2026-10-31, 2026-10-31T12:00:00Z or seconds",
          "начать с этого времени, по UTC: 2026-10-31, 2026-10-31T12:00:00Z или секунды"}},
    [OPTION_MARK_READ] =
        {"mark-read", 0, NULL, NULL, {"mark chats as read", "отмечать чаты прочитанными"}},
    [OPTION_GIVE_UP] = {"give-up",
                        0,
                        "N",
                        NULL,
                        {"set a message aside after so many failures of --exec",
                         "отложить сообщение после стольких неудач --exec"}},
    [OPTION_LISTEN] = {"listen",
                       0,
                       "ADDRESS:PORT",
                       NULL,
                       {"where to listen, behind a proxy that ends TLS",
                        "где слушать, за прокси, который снимает TLS"}},
    [OPTION_PATH_FILE] = {"path-file",
                          0,
                          "FILE",
                          NULL,
                          {"file with the secret path of the URL", "файл с секретным путём URL"}},
    [OPTION_BROWSER] = {"browser",
                        0,
                        NULL,
                        NULL,
                        {"for the account of somebody else: by their consent in a browser",
                         "для чужой учётной записи: с её согласия в браузере"}},
};

const uint32_t common_options = OPTION_BIT(OPTION_HELP) | OPTION_BIT(OPTION_ACCOUNT) |
                                OPTION_BIT(OPTION_CONFIG) | OPTION_BIT(OPTION_JSON) |
                                OPTION_BIT(OPTION_QUIET) | OPTION_BIT(OPTION_DRY_RUN);

/* Commands that lack some of them, which they would ignore, or not keep to. */
static const struct {
    const char *command;
    uint32_t options;
} lacking[] = {
    {"login", OPTION_BIT(OPTION_DRY_RUN)},
    {"watch", OPTION_BIT(OPTION_DRY_RUN)},
    {"gateway", OPTION_BIT(OPTION_ACCOUNT) | OPTION_BIT(OPTION_JSON) | OPTION_BIT(OPTION_DRY_RUN)},
};

/* What options ask of each other, in every command that has both: that the other one is missing (of an option itself:
 * that it stands once), or, with `needs`, that it is there. */
static const struct {
    uint8_t one, other;
    bool needs;
} rules[] = {
    {OPTION_ALL, OPTION_LIMIT, false},    {OPTION_JSON, OPTION_FORMAT, false},
    {OPTION_SINCE, OPTION_UNREAD, false}, {OPTION_EXEC, OPTION_FORMAT, false},
    {OPTION_GIVE_UP, OPTION_EXEC, true},  {OPTION_IMAGE, OPTION_IMAGE, false},
    {OPTION_TYPE, OPTION_TYPE, false},    {OPTION_EXEC, OPTION_EXEC, false},
};

#define ANY UINT16_MAX

/* The names that --format knows. */
#define MESSAGE_FIELDS "id chat name text type class direction time created author"
#define CHAT_FIELDS    "id name title text time updated url"
#define SEND_FIELDS    "id chat outcome"

static const command webhook_parts[] = {
    {.name = "webhook list",
     .usage = "",
     .words_min = 1,
     .words_max = 1,
     .run = run_webhook_list,
     .fields = "url version"},
    {.name = "webhook add",
     .usage = "URL",
     .words_min = 2,
     .words_max = 2,
     .options = OPTION_BIT(OPTION_PATH_FILE),
     .run = run_webhook_add},
    {.name = "webhook remove",
     .usage = "URL",
     .words_min = 2,
     .words_max = 2,
     .options = OPTION_BIT(OPTION_PATH_FILE),
     .run = run_webhook_remove},
    {.name = "webhook serve",
     .usage = "",
     .words_min = 1,
     .words_max = 1,
     .options = OPTION_BIT(OPTION_LISTEN) | OPTION_BIT(OPTION_PATH_FILE),
     .run = run_webhook_serve,
     .fields = MESSAGE_FIELDS},
    {.name = NULL}};

const command commands[] = {
    {"login",
     "[NAME]",
     0,
     1,
     OPTION_BIT(OPTION_BROWSER),
     {"ask for the client id and secret and keep them",
      "спросить client id и secret и сохранить их"},
     {"Reads them from the terminal without showing the secret, or from standard input (two "
      "lines), tries them, and "
      "stores them in the state folder, mode 0600. The client id and secret are on the developer "
      "page of the Avito "
      "account. With --browser another person lets this program in: it prints a URL, and reads the "
      "code that the "
      "browser then shows, or the address that it ends at.",
      "Читает их с терминала, не показывая secret, или со стандартного ввода (две строки), "
      "проверяет и хранит в "
      "папке состояния с правами 0600. Client id и secret указаны на странице разработчика учётной "
      "записи Авито. С "
      "--browser доступ даёт другой человек: программа печатает URL и читает код или адрес, "
      "который затем "
      "показывает браузер."},
     run_login,
     NULL,
     NULL},
    {"whoami",
     "",
     0,
     0,
     0,
     {"the account's name and id", "имя и номер учётной записи"},
     {"", ""},
     run_whoami,
     "id name email phone url",
     NULL},
    {"chats",
     "",
     0,
     0,
     OPTION_BIT(OPTION_UNREAD) | OPTION_BIT(OPTION_ITEM) | OPTION_BIT(OPTION_TYPE) |
         OPTION_BIT(OPTION_LIMIT) | OPTION_BIT(OPTION_ALL),
     {"list the chats, newest first", "список чатов, новые сверху"},
     {"Shows 20 without --limit or --all. The service reaches about 1,100 chats.",
      "Без --limit и --all показывает 20. Сервис отдаёт около 1100 чатов."},
     run_chats,
     CHAT_FIELDS,
     NULL},
    {"chat",
     "CHAT",
     1,
     1,
     0,
     {"show one chat", "показать один чат"},
     {"", ""},
     run_chat,
     CHAT_FIELDS,
     NULL},
    {"messages",
     "CHAT",
     1,
     1,
     OPTION_BIT(OPTION_LIMIT) | OPTION_BIT(OPTION_ALL),
     {"the messages of a chat, oldest first", "сообщения чата, старые сверху"},
     {"Shows the last 20 without --limit or --all. Does not mark them as read.",
      "Без --limit и --all показывает последние 20. Прочитанными не отмечает."},
     run_messages,
     MESSAGE_FIELDS,
     NULL},
    {"send",
     "CHAT [TEXT | -]",
     1,
     2,
     OPTION_BIT(OPTION_SPLIT) | OPTION_BIT(OPTION_IMAGE),
     {"send a text or a picture", "отправить текст или картинку"},
     {"With - the text is read from standard input. With --image a text is a second message, "
      "behind "
      "the picture. A text has at most 1,000 characters: --split "
      "sends a longer one in "
      "parts. One that begins with a dash stands behind --. Nothing is sent twice: when it is not "
      "known whether a message arrived, the status is "
      "6, and avito confirm "
      "finds out. Where the service asks for a pause, it waits, ten minutes at most, and says so.",
      "С - текст читается со стандартного ввода. С --image текст уходит вторым сообщением, после "
      "картинки. В тексте не больше 1000 знаков: --split "
      "отправляет длинный частями. Текст, который начинается с дефиса, пишут после --. "
      "Ничто не отправляется дважды: если неизвестно, дошло ли сообщение, код возврата 6, а avito "
      "confirm это "
      "выяснит. Если сервис просит паузу, программа ждёт, не дольше десяти минут, и говорит об "
      "этом."},
     run_send,
     SEND_FIELDS,
     NULL},
    {"read",
     "CHAT",
     1,
     1,
     0,
     {"mark a chat as read", "отметить чат прочитанным"},
     {"", ""},
     run_read,
     NULL,
     NULL},
    {"delete",
     "CHAT MESSAGE",
     2,
     2,
     0,
     {"delete a message of yours", "удалить своё сообщение"},
     {"Possible within an hour of sending it.", "Возможно в течение часа после отправки."},
     run_delete,
     NULL,
     NULL},
    {"block",
     "USER",
     1,
     1,
     OPTION_BIT(OPTION_REASON) | OPTION_BIT(OPTION_ITEM),
     {"put a user on the blacklist", "внести пользователя в чёрный список"},
     {"No call takes it back; the Avito app does.", "Отменить можно только в приложении Авито."},
     run_block,
     NULL,
     NULL},
    {"voice",
     "ID...",
     1,
     ANY,
     OPTION_BIT(OPTION_SAVE),
     {"the URLs of voice messages", "адреса голосовых сообщений"},
     {"Each URL is good for an hour. --save needs the same TLS roots as the service.",
      "Каждый адрес действует час. Для --save нужны те же корневые сертификаты, что и для "
      "сервиса."},
     run_voice,
     "id url",
     NULL},
    {"watch",
     "",
     0,
     0,
     OPTION_BIT(OPTION_EXEC) | OPTION_BIT(OPTION_COUNT) | OPTION_BIT(OPTION_TIMEOUT) |
         OPTION_BIT(OPTION_SINCE) | OPTION_BIT(OPTION_UNREAD) | OPTION_BIT(OPTION_MARK_READ) |
         OPTION_BIT(OPTION_GIVE_UP),
     {"show each new message once", "показывать каждое новое сообщение один раз"},
     {"Goes on until it is stopped, and continues there when it is started again: only the first "
      "run "
      "begins where --since says, or, with --unread, with the unread messages. With --exec a "
      "message counts as done "
      "when the command ends with 0: a crash loses none. The command reads the message as JSON "
      "from standard input; no "
      "secret is in its environment. A command that fails is run again, after growing pauses. One "
      "that hangs holds up all messages: let timeout end it (--exec 'timeout 60 ./command'), or "
      "--timeout, which ends the program, too, and leaves the message for the next run.",
      "Работает, пока не остановят, и после нового запуска продолжает с того же места: лишь первый "
      "запуск начинает с --since или, с --unread, с непрочитанных. С --exec "
      "сообщение считается "
      "обработанным, когда команда завершилась с кодом 0: сбой ничего не теряет. Команда читает "
      "сообщение как JSON со "
      "стандартного ввода; секретов в её окружении нет. Неудачная команда повторяется со всё "
      "большими паузами. Зависшая задерживает все сообщения: пусть её завершит timeout (--exec "
      "'timeout 60 ./команда') или --timeout, который завершает и программу, а сообщение "
      "оставляет следующему запуску."},
     run_watch,
     MESSAGE_FIELDS,
     NULL},
    {"export",
     "[FILE]",
     0,
     1,
     0,
     {"all chats and messages as JSON lines", "все чаты и сообщения строками JSON"},
     {"With a FILE it can be stopped and goes on there when it is started again. What the service "
      "does not let be read "
      "is said at the end.",
      "С файлом работу можно прервать, новый запуск её продолжит. О том, чего сервис не отдаёт, "
      "говорится в конце."},
     run_export,
     NULL,
     NULL},
    {"confirm",
     "CHAT [TEXT | -]",
     1,
     2,
     0,
     {"was it sent? after a status 6", "отправлено ли? после кода 6"},
     {"Reads the chat back. Status 0: it was sent; 5: it was not; 6: still not known, ask again "
      "later.",
      "Перечитывает чат. Код 0: отправлено; 5: не отправлено; 6: всё ещё неизвестно, спросите "
      "позже."},
     run_confirm,
     SEND_FIELDS,
     NULL},
    {"webhook",
     "list | add URL | remove URL | serve",
     1,
     2,
     0,
     {"notifications: where they go, and a receiver", "уведомления: куда идут, и приёмник"},
     {"The path of the URL is a secret: with --path-file FILE it is read from a file and appended "
      "to the URL, so that it "
      "does not show in the list of processes. In lists it is masked, except with --json and "
      "--format.",
      "Путь в URL секретен: с --path-file FILE он читается из файла и добавляется к URL, чтобы его "
      "не было видно в "
      "списке процессов. В списках он скрыт, кроме --json и --format."},
     NULL,
     "url version " MESSAGE_FIELDS,
     webhook_parts},
    {"gateway",
     "",
     0,
     0,
     0,
     {"accounts and an MQTT broker: messages out, commands in",
      "учётные записи и брокер MQTT: сообщения туда, команды обратно"},
     {"Serves the accounts of the configuration, or, where it has none, those that avito login has "
      "stored, until it is stopped. A message counts as taken when the broker has it; a command is "
      "acknowledged when its result is published; nothing is sent twice. Topics under "
      "avito/ACCOUNT/: messages/CHAT, send/CHAT, image/CHAT, read/CHAT, delete/CHAT, block/USER, "
      "results/ID, state, status; and avito/gateway/NAME/status. The broker must speak MQTT 5. "
      "SIGHUP reads the configuration again. With a section [fleet] several gateways share the "
      "accounts.",
      "Обслуживает учётные записи из настроек, а если их там нет, то сохранённые avito login, пока "
      "его не остановят. Сообщение считается принятым, когда оно у брокера; команда "
      "подтверждается, "
      "когда её результат опубликован; ничто не отправляется дважды. Темы под avito/ИМЯ/: "
      "messages/ЧАТ, send/ЧАТ, image/ЧАТ, read/ЧАТ, delete/ЧАТ, block/ПОЛЬЗОВАТЕЛЬ, results/ID, "
      "state, status; и avito/gateway/ИМЯ/status. Брокер должен говорить на MQTT 5. По SIGHUP "
      "настройки читаются снова. С секцией [fleet] учётные записи делят несколько шлюзов."},
     run_gateway,
     NULL,
     NULL},
    {"help",
     "[COMMAND]",
     0,
     1,
     0,
     {"show this help", "показать эту справку"},
     {"", ""},
     run_help,
     NULL,
     NULL},
    {"completion",
     "bash | zsh | fish",
     1,
     1,
     0,
     {"print the completion of a shell", "напечатать автодополнение для оболочки"},
     {"For bash: eval \"$(avito completion bash)\"", "Для bash: eval \"$(avito completion bash)\""},
     run_completion,
     NULL,
     NULL},
};

const size_t commands_count = sizeof commands / sizeof *commands;

/* ---- names ---- */

const command *find_command(const char *name)
{
    for (size_t i = 0; i < commands_count; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* Levenshtein's distance, for names of up to 31 characters; longer ones are far from everything. */
static size_t distance(const char *a, const char *b)
{
    size_t row[32], columns = strlen(b);

    if (columns >= sizeof row / sizeof *row) {
        return columns;
    }
    for (size_t j = 0; j <= columns; j++) {
        row[j] = j;
    }
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < columns; j++) {
            const size_t changed = diagonal + (a[i] != b[j]);
            const size_t least = row[j] < row[j + 1] ? row[j] + 1 : row[j + 1] + 1;

            diagonal = row[j + 1];
            row[j + 1] = changed < least ? changed : least;
        }
    }
    return row[columns];
}

/* Keeps `name` if it is nearer to `meant` than the best so far. */
static void consider(const char *meant, const char *name, const char **best, size_t *least)
{
    const size_t d = distance(meant, name);

    if (d < *least) {
        *least = d;
        *best = name;
    }
}

const char *near_command(const char *name)
{
    const char *best = NULL;
    size_t least = 3;

    for (size_t i = 0; i < commands_count; i++) {
        consider(name, commands[i].name, &best, &least);
    }
    return best;
}

bool offers_option(const command *c, int id)
{
    const command *part = c->parts;

    while (part != NULL && part->name != NULL && !offers_option(part, id)) {
        part++;
    }
    return (part != NULL && part->name != NULL) || (c->options & OPTION_BIT(id)) != 0 ||
           (id == OPTION_FORMAT && c->fields != NULL);
}

bool takes_common(const command *c, int id)
{
    uint32_t taken = common_options;

    for (size_t i = 0; c != NULL && i < sizeof lacking / sizeof *lacking; i++) {
        taken &= strcmp(lacking[i].command, c->name) == 0 ? ~lacking[i].options : taken;
    }
    return (taken & OPTION_BIT(id)) != 0;
}

static bool option_applies(const command *c, int id)
{
    return takes_common(c, id) || offers_option(c, id);
}

static const char *near_option(const command *c, const char *name)
{
    const char *best = NULL;
    size_t least = 3;

    for (int id = 0; id < OPTIONS; id++) {
        if (option_applies(c, id)) {
            consider(name, options[id].name, &best, &least);
        }
    }
    return best;
}

/* ---- the command line ---- */

/* `what` has one name in it, or two. */
static int wrong_pair(const command *c, sentence what, const char *name, const char *other)
{
    complain(what, name, other);
    complain(TEXT("; see: avito %s --help\n", "; см.: avito %s --help\n"), c->name);
    return EXIT_USAGE;
}

static int wrong(const command *c, sentence what, const char *name)
{
    return wrong_pair(c, what, name, NULL);
}

static int unknown_option(const command *c, const char *name)
{
    const char *near = near_option(c, name);

    complain(TEXT("avito %s has no option --%s", "у avito %s нет ключа --%s"), c->name, name);
    if (near != NULL) {
        complain(TEXT("; did you mean --%s?", "; может быть, --%s?"), near);
    }
    fputc('\n', stderr);
    return EXIT_USAGE;
}

/* OPTIONS if there is none. */
static int option_by_name(const command *c, const char *name, size_t len)
{
    int id = 0;

    while (id < OPTIONS && !(option_applies(c, id) && strlen(options[id].name) == len &&
                             strncmp(options[id].name, name, len) == 0)) {
        id++;
    }
    return id;
}

static int option_by_letter(const command *c, char letter)
{
    int id = 0;

    while (id < OPTIONS && !(option_applies(c, id) && options[id].letter == letter)) {
        id++;
    }
    return id;
}

static bool is_one_of(const char *words, const char *word)
{
    const size_t len = strlen(word);

    for (const char *at = words; at != NULL && len > 0; at = strchr(at, ' ')) {
        at += *at == ' ';
        if (strncmp(at, word, len) == 0 && (at[len] == ' ' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

static bool stands_once(int id)
{
    size_t i = 0;

    while (i < sizeof rules / sizeof *rules && (rules[i].one != id || rules[i].other != id)) {
        i++;
    }
    return i < sizeof rules / sizeof *rules;
}

/* Checks an option's value against its table, and keeps it. */
static int take_value(const command *c, int id, const char *value, arguments *out)
{
    if (options[id].words != NULL && !is_one_of(options[id].words, value)) {
        complain(TEXT("--%s takes one of: %s\n", "--%s бывает: %s\n"), options[id].name,
                 options[id].words);
        return EXIT_USAGE;
    }
    if (out->values[id] != NULL && stands_once(id)) {
        return wrong(c, TEXT("--%s stands twice", "--%s указан дважды"), options[id].name);
    }
    if (id == OPTION_ITEM) {
        if (out->items_count == VALUES_PER_OPTION) {
            return wrong(c, TEXT("--%s is given too often", "--%s указан слишком много раз"),
                         options[id].name);
        }
        out->items[out->items_count++] = value;
    }
    out->values[id] = value;
    return EXIT_DONE;
}

/* An option that takes a value: it stands with the option, or is the next word. */
static int read_value(const command *c, int id, const char *value, int argc, char **argv, int *at,
                      arguments *out)
{
    if (value == NULL && *at + 1 < argc) {
        value = argv[++*at];
    }
    return value != NULL && value[0] != '\0' /* of a variable that is not set */
               ? take_value(c, id, value, out)
               : wrong(c, TEXT("--%s needs a value", "для --%s нужно значение"), options[id].name);
}

static int read_long(const command *c, int argc, char **argv, int *at, arguments *out)
{
    const char *name = argv[*at] + 2, *equals = strchr(name, '=');
    const char *value = equals != NULL ? equals + 1 : NULL;
    const int id = option_by_name(c, name, equals != NULL ? (size_t)(equals - name) : strlen(name));

    if (id == OPTIONS) {
        return unknown_option(c, name);
    }
    if (options[id].value != NULL) {
        return read_value(c, id, value, argc, argv, at, out);
    }
    return value == NULL
               ? take_value(c, id, "", out)
               : wrong(c, TEXT("--%s has no value", "у --%s нет значения"), options[id].name);
}

/* One letter or several: -j, -jq, -jl5. The first that takes a value takes the rest. */
static int read_letters(const command *c, int argc, char **argv, int *at, arguments *out)
{
    for (const char *l = argv[*at] + 1; *l != '\0'; l++) {
        const int id = option_by_letter(c, *l);

        if (id == OPTIONS) {
            return wrong(c, TEXT("unknown option %s", "неизвестный ключ %s"), argv[*at]);
        }
        if (options[id].value != NULL) {
            return read_value(c, id, l[1] != '\0' ? l + 1 : NULL, argc, argv, at, out);
        }
        (void)take_value(c, id, "", out);
    }
    return EXIT_DONE;
}

static int say_usage(const command *c)
{
    complain(TEXT("usage: avito %s %s\n", "вызов: avito %s %s\n"), c->name, c->usage);
    return EXIT_USAGE;
}

static int check_words(const command *c, const arguments *a)
{
    if (a->words_count > c->words_max) {
        return wrong(c, TEXT("one word too many: %s", "лишнее слово: %s"), a->words[c->words_max]);
    }
    return a->words_count >= c->words_min ? EXIT_DONE : say_usage(c);
}

/* Do the options that were given go together? */
static int check_rules(const command *c, const arguments *a)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const int one = rules[i].one, other = rules[i].other;

        if (a->values[one] == NULL || one == other ||
            (a->values[other] != NULL) == rules[i].needs) {
            continue;
        }
        return wrong_pair(
            c,
            rules[i].needs
                ? TEXT("--%s is nothing without --%s", "--%s бывает только с --%s")
                : TEXT("--%s and --%s do not go together", "--%s и --%s вместе не бывают"),
            options[one].name, options[other].name);
    }
    return EXIT_DONE;
}

/* The part that the first word names; NULL: there is none. */
static const command *part_of(const command *c, const char *word)
{
    const command *part = c->parts;

    while (part->name != NULL && strcmp(part->name + strlen(c->name) + 1, word) != 0) {
        part++;
    }
    return part->name != NULL ? part : NULL;
}

/* Takes the part of the command that is meant, and checks that it has the options that were given. */
static int choose_part(arguments *a)
{
    const command *part = part_of(a->command, a->words[0]);

    if (part == NULL) {
        return say_usage(a->command);
    }
    a->command = part;
    for (int id = 0; id < OPTIONS; id++) {
        if (a->values[id] != NULL && !option_applies(part, id)) {
            return unknown_option(part, options[id].name);
        }
    }
    return check_words(part, a);
}

int read_arguments(const command *c, int argc, char **argv, arguments *out)
{
    bool only_words = false;
    int status = EXIT_DONE;

    memset(out, 0, sizeof *out);
    out->command = c;
    out->words = (const char **)argv;
    for (int at = 0; at < argc; at++) {
        if (!only_words && strcmp(argv[at], "--") == 0) {
            only_words = true;
        } else if (!only_words && argv[at][0] == '-' && argv[at][1] != '\0') {
            status = argv[at][1] == '-' ? read_long(c, argc, argv, &at, out)
                                        : read_letters(c, argc, argv, &at, out);
        } else {
            argv[out->words_count++] = argv[at];
        }
        if (status != EXIT_DONE) {
            return status;
        }
    }
    if (out->values[OPTION_HELP] != NULL) {
        return EXIT_DONE;
    }
    status = check_words(c, out);
    status = status == EXIT_DONE ? check_rules(c, out) : status;
    return status == EXIT_DONE && c->parts != NULL ? choose_part(out) : status;
}

bool number_of(const arguments *a, enum option_id id, long low, long high, long *out)
{
    const char *value = a->values[id];
    char *end;
    long number;

    if (value == NULL) {
        return true;
    }
    errno = 0;
    number = strtol(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || number < low || number > high) {
        complain(TEXT("--%s takes a number from %ld to %ld\n", "--%s: число от %ld до %ld\n"),
                 options[id].name, low, high);
        return false;
    }
    *out = number;
    return true;
}
