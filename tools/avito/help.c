/* help.c - what is made from the tables of command.c: the help, the manual page, the completions. */
#include "config.h"
#include "format.h"
#include "run.h"
#include "show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    enum exit_status status;
    sentence what;
} statuses[] = {
    {EXIT_DONE, {"done", "сделано"}},
    {EXIT_LOCAL,
     {"local: disk, lock, clock, a command of --exec",
      "местное: диск, блокировка, часы, команда из --exec"}},
    {EXIT_USAGE,
     {"usage or configuration; nothing was sent", "вызов или настройки; ничего не отправлено"}},
    {EXIT_NETWORK,
     {"network: no connection, no TLS, no answer", "сеть: нет соединения, TLS или ответа"}},
    {EXIT_CREDENTIALS,
     {"client id, secret or token are refused", "client id, secret или токен не приняты"}},
    {EXIT_REFUSED, {"the service refused", "сервис отказал"}},
    {EXIT_CANNOT_TELL,
     {"cannot tell whether it was sent, or not print that it was: avito confirm",
      "неизвестно, отправлено ли, или о том не напечатать: avito confirm"}},
    {EXIT_NOTHING, {"nothing came in time", "вовремя ничего не пришло"}},
    {EXIT_ANSWER, {"the service's answer makes no sense", "ответ сервиса непонятен"}},
};

static const struct {
    const char *name;
    sentence what;
} variables[] = {
    {"AVITO_CLIENT_ID, AVITO_CLIENT_SECRET",
     {"the account, without a configuration", "учётная запись, без файла настроек"}},
    {"AVITO_HOST, AVITO_PORT, AVITO_CA_FILE",
     {"another service, such as the simulator", "другой сервис, например симулятор"}},
    {"SSL_CERT_FILE",
     {"trust anchors where no ca_file is named; else the system's",
      "корневые сертификаты, если ca_file не задан; без него системные"}},
    {"AVITO_ACCOUNT", {"as --account", "как --account"}},
    {"XDG_CONFIG_HOME, XDG_STATE_HOME",
     {"where configuration and state are kept", "где лежат настройки и состояние"}},
    {"LC_ALL, LC_MESSAGES, LANG",
     {"Russian where they begin with ru", "по-русски, если начинается с ru"}},
    {"NO_COLOR", {"no colours on the terminal", "без цвета на терминале"}},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Of a command its own options, or (`common`) those that it has in common with the others. */
static bool has_row(const command *c, int id, bool common)
{
    return common ? takes_common(c, id) : offers_option(c, id);
}

static bool has_any_row(const command *c)
{
    int id = 0;

    while (id < OPTIONS && !has_row(c, id, false)) {
        id++;
    }
    return id < OPTIONS;
}

/* ---- help ---- */

/* A name, and beside it what it does; on a narrow terminal below it. */
static void print_row(const char *name, size_t column, const char *what)
{
    const size_t indent = show_columns() >= 60 ? column : 6;
    const size_t used = strlen(name) + 2;

    printf("  %s", name);
    if (used + 1 > indent) {
        printf("\n%*s", (int)indent, "");
    } else {
        printf("%*s", (int)(indent - used), "");
    }
    show_words(stdout, what, indent, indent);
}

/* "-x, --exec COMMAND", with `indent` in place of a letter that it has not. */
static void name_option(const option_row *o, const char *indent, char *out, size_t cap)
{
    const char letter[] = {'-', o->letter, ',', ' ', '\0'};

    snprintf(out, cap, "%s--%s%s%s", o->letter != '\0' ? letter : indent, o->name,
             o->value != NULL ? " " : "", o->value != NULL ? o->value : "");
}

static void print_options(const command *c, bool common)
{
    for (int id = 0; id < OPTIONS; id++) {
        char name[64];

        if (has_row(c, id, common)) {
            name_option(&options[id], "    ", name, sizeof name);
            print_row(name, 29, say(options[id].what));
        }
    }
}

static void print_general_help(void)
{
    show_begin(false);
    show_words(stdout,
               say(TEXT("avito - chats of Avito on the command line",
                        "avito - чаты Авито в командной строке")),
               0, 0);
    putchar('\n');
    show_words(stdout,
               say(TEXT("usage: avito COMMAND [OPTION...] [WORD...]",
                        "вызов: avito КОМАНДА [КЛЮЧ...] [СЛОВО...]")),
               0, 0);
    puts(say(TEXT("\ncommands:", "\nкоманды:")));
    for (size_t i = 0; i < commands_count; i++) {
        print_row(commands[i].name, 15, say(commands[i].what));
    }
    puts(say(TEXT("\nmost commands take:", "\nу большинства команд:")));
    print_options(NULL, true);
    putchar('\n');
    show_words(stdout,
               say(TEXT("Begin with: avito login. More: avito COMMAND --help, man avito",
                        "Начните с: avito login. Подробнее: avito КОМАНДА --help, man avito")),
               0, 0);
}

void print_command_help(const command *c)
{
    show_begin(false);
    printf(say(TEXT("usage: avito %s%s%s\n\n", "вызов: avito %s%s%s\n\n")), c->name,
           c->usage[0] != '\0' ? " " : "", c->usage);
    show_words(stdout, say(c->what), 0, 0);
    if (say(c->details)[0] != '\0') {
        putchar('\n');
        show_words(stdout, say(c->details), 0, 0);
    }
    if (has_any_row(c)) {
        putchar('\n');
        print_options(c, false);
    }
    if (c->fields != NULL) {
        char *names = NULL;
        size_t len;
        FILE *memory = open_memstream(&names, &len);

        if (memory != NULL) {
            put_fields(memory, c->fields);
            fclose(memory);
            fputs("\n--format: ", stdout);
            names[len - 1] = '\0';
            show_words(stdout, names, 9, 10);
            free(names);
        }
    }
    puts(say(TEXT("\nmost commands take:", "\nу большинства команд:")));
    print_options(c, true);
}

int run_help(const arguments *a)
{
    const command *c = a->words_count > 0 ? find_command(a->words[0]) : NULL;

    if (a->words_count > 0 && c == NULL) {
        complain(TEXT("avito has no command %s; see: avito help\n",
                      "у avito нет команды %s; см.: avito help\n"),
                 a->words[0]);
        return EXIT_USAGE;
    }
    if (c != NULL) {
        print_command_help(c);
    } else {
        print_general_help();
    }
    return EXIT_DONE;
}

/* ---- the manual page ---- */

/* Text for roff: a backslash and a dash at the beginning of a line would be commands. */
static void roff(const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s == '\\') {
            fputs("\\e", stdout);
        } else if (*s == '-') {
            fputs("\\-", stdout);
        } else {
            putchar(*s);
        }
    }
}

static void roff_section(sentence title)
{
    printf(".SH \"%s\"\n", say(title));
}

static void roff_term(const char *term, const char *what)
{
    fputs(".TP\n.B ", stdout);
    roff(term);
    putchar('\n');
    roff(what);
    putchar('\n');
}

static void roff_options(const command *c, bool common)
{
    for (int id = 0; id < OPTIONS; id++) {
        char name[64];

        if (has_row(c, id, common)) {
            name_option(&options[id], "", name, sizeof name);
            roff_term(name, say(options[id].what));
        }
    }
}

static void roff_command(const command *c)
{
    fputs(".SS ", stdout);
    printf("avito %s ", c->name);
    roff(c->usage);
    putchar('\n');
    roff(say(c->what));
    fputs(".\n", stdout);
    if (say(c->details)[0] != '\0') {
        roff(say(c->details));
        putchar('\n');
    }
    roff_options(c, false);
    if (c->fields != NULL) { /* after the option itself, which is the last of them */
        fputs(say(TEXT(".PP\nNames for \\-\\-format:", ".PP\nИмена для \\-\\-format:")), stdout);
        put_fields(stdout, c->fields);
    }
}

static const struct {
    const char *name;
    sentence what;
} files[] = {
    {"$XDG_CONFIG_HOME/avito/config",
     {"the configuration; ~/.config where the variable is not set",
      "настройки; ~/.config, если переменная не задана"}},
    {"$XDG_STATE_HOME/avito/NAME/",
     {"the state of an account, 0600; ~/.local/state where the variable is not set",
      "состояние учётной записи, 0600; ~/.local/state, если переменная не задана"}},
    {"credentials",
     {"what avito login has stored, as in the configuration: a section with client_id, "
      "client_secret "
      "and, of another person, consent",
      "то, что сохранил avito login, как в настройках: секция с client_id, client_secret и, если "
      "учётная запись чужая, consent"}},
    {"tokens",
     {"lines of a name and a value: avito-tokens and 1, the format's version; client, host, "
      "expires "
      "(unix seconds), access, refresh, end; programs of one account share it",
      "строки из имени и значения: avito-tokens и 1, версия формата; client, host, expires "
      "(секунды "
      "unix), access, refresh, end; его делят программы одной учётной записи"}},
    {"inbox.0, inbox.1",
     {"where avito watch is: written in turn, binary, begins with AVI1, has a checksum",
      "место, где avito watch: пишутся по очереди, двоичные, начинаются с AVI1, с контрольной "
      "суммой"}},
    {"inbox.lock",
     {"number and name of the process that watches: one at a time, which locks it",
      "номер и имя процесса, который следит: один сразу, он держит блокировку"}},
    {"lock", {"locked for moments by who writes", "блокируется на мгновения тем, кто пишет"}},
    {"send.*",
     {"a message that is sent once: lines avito-send and 1, outcome (0 not sent, 1 sent, 2 cannot "
      "tell), begun and ended (unix seconds; ended 0: not settled), chat, baseline and created "
      "(the "
      "message before it), message (its id), text with its length, and the text",
      "сообщение, которое уйдёт один раз: строки avito-send и 1, outcome (0 не отправлено, 1 "
      "отправлено, 2 неизвестно), begun и ended (секунды unix; ended 0: исход не известен), chat, "
      "baseline и created (сообщение перед ним), message (его id), text с длиной и сам текст"}},
    {"ledger.jsonl",
     {"what became of the gateway's commands, an object a line: id, state, act, target, begun, "
      "hash; "
      "of what is begun text, baseline, created; message_id and reason where they are known",
      "что стало с командами шлюза, по объекту в строке: id, state, act, target, begun, hash; у "
      "начатого text, baseline, created; message_id и reason, если они известны"}},
    {"refused",
     {"which of the gateway's commands were refused: hashes of their ids, binary",
      "каким командам шлюза отказано: хеши их id, двоичный"}},
    {"epoch",
     {"in a fleet: the number of the last claim that was seen",
      "в группе: номер последнего захвата, который видели"}},
    {"aside.jsonl",
     {"messages that --give-up has set aside, as --json has them",
      "сообщения, отложенные ключом --give-up, как в --json"}},
    {"gateway/NAME/",
     {"the gateway's client id, number of its session and secret path",
      "client id шлюза, номер его сеанса и секретный путь"}},
};

static void roff_keys(enum section_kind section)
{
    for (size_t i = 0; i < config_keys_count; i++) {
        if (config_keys[i].section == section) {
            roff_term(config_keys[i].key, say(config_keys[i].what));
        }
    }
}

static void roff_configuration(void)
{
    roff_section(TEXT("CONFIGURATION", "НАСТРОЙКИ"));
    roff(say(TEXT("An INI file with a section [NAME] for each account. The environment wins over "
                  "it, options win over "
                  "both. A comment stands on a line of its own and begins with a semicolon.",
                  "Файл INI с секцией [ИМЯ] для каждой учётной записи. Окружение сильнее файла, "
                  "ключи сильнее "
                  "обоих. Комментарий стоит на отдельной строке и начинается с точки с запятой.")));
    putchar('\n');
    roff_keys(SECTION_ACCOUNT);
    puts(".SS [mqtt]");
    roff_keys(SECTION_MQTT);
    puts(".SS [gateway]");
    roff_keys(SECTION_GATEWAY);
    puts(".SS [fleet]");
    roff_keys(SECTION_FLEET);
    roff_section(TEXT("FILES", "ФАЙЛЫ"));
    for (size_t i = 0; i < COUNT(files); i++) {
        roff_term(files[i].name, say(files[i].what));
    }
}

static void roff_json(void)
{
    roff_section(TEXT("JSON", "JSON"));
    roff(say(TEXT(
        "With --json each line of standard output is one object. Its names and forms are those of "
        "the "
        "official description: a chat has id, created, updated, context, users, last_message; a "
        "message id, author_id, created, type, direction, content, and chat_id where it is known; "
        "a voice message voice_id and url; a subscription url and version; a call that has nothing "
        "to show is {\"ok\":true}. What this program adds stands in one member, avito. "
        "Of a message: class (buyer, own, system, placeholder, deleted, unsupported), is_own, "
        "is_system, is_placeholder, is_cut, author_name, item_title. Of a chat: user_id, whose it "
        "is. "
        "Of a send, beside its id and chat_id: outcome (sent, not_sent, cannot_tell) and error; of "
        "a "
        "confirm with nothing to look for: in_doubt. Of a login, beside the id: account; with "
        "--browser url, "
        "in a line before. Of a voice "
        "message that was saved: file. Of --dry-run: would_send (method, path, body). The last "
        "line "
        "of an export: export (complete, partial), chats, skipped, chats_beyond_reach, "
        "chats_with_messages_beyond_reach. Names are never removed within a major version; new "
        "ones "
        "may come.",
        "С --json каждая строка вывода - один объект. Имена и вид полей - как в официальном "
        "описании: "
        "у чата id, created, updated, context, users, last_message; у сообщения id, author_id, "
        "created, type, direction, content и chat_id, где он известен; у голосового сообщения "
        "voice_id и url; у подписки url и version; вызов, которому нечего показать, печатает "
        "{\"ok\":true}. Добавленное этой программой стоит в одном поле, avito. У сообщения: class "
        "(buyer, own, system, placeholder, deleted, unsupported), is_own, is_system, "
        "is_placeholder, "
        "is_cut, author_name, item_title. У чата: user_id, чей он. У отправки, рядом с id и "
        "chat_id: "
        "outcome (sent, not_sent, cannot_tell) и error; у confirm, которому нечего искать: "
        "in_doubt. "
        "У login, рядом с id: account, а с --browser строкой раньше url. У сохранённого голосового "
        "сообщения: file. У --dry-run: "
        "would_send (method, path, body). В последней строке выгрузки: export (complete, partial), "
        "chats, skipped, "
        "chats_beyond_reach, chats_with_messages_beyond_reach. Внутри старшей версии имена не "
        "исчезают, но могут появляться новые.")));
    putchar('\n');
}

int run_manual(const arguments *a)
{
    (void)a;
    printf(".TH AVITO 1 \"\" \"avito %s\"\n", AVITO_PROGRAM_VERSION);
    roff_section(TEXT("NAME", "НАЗВАНИЕ"));
    puts(say(TEXT("avito \\- chats of Avito on the command line",
                  "avito \\- чаты Авито в командной строке")));
    roff_section(TEXT("SYNOPSIS", "ВЫЗОВ"));
    puts(say(TEXT(".B avito\n.I COMMAND\n[\\fIOPTION\\fR...] [\\fIWORD\\fR...]",
                  ".B avito\n.I КОМАНДА\n[\\fIКЛЮЧ\\fR...] [\\fIСЛОВО\\fR...]")));
    roff_section(TEXT("COMMANDS", "КОМАНДЫ"));
    for (size_t i = 0; i < commands_count; i++) {
        roff_command(&commands[i]);
    }
    roff_section(TEXT("OPTIONS OF MOST COMMANDS", "КЛЮЧИ БОЛЬШИНСТВА КОМАНД"));
    roff_options(NULL, true);
    roff_section(TEXT("EXIT STATUS", "КОДЫ ВОЗВРАТА"));
    for (size_t i = 0; i < COUNT(statuses); i++) {
        char number[16];

        snprintf(number, sizeof number, "%d", (int)statuses[i].status);
        roff_term(number, say(statuses[i].what));
    }
    roff_section(TEXT("ENVIRONMENT", "ОКРУЖЕНИЕ"));
    for (size_t i = 0; i < COUNT(variables); i++) {
        roff_term(variables[i].name, say(variables[i].what));
    }
    roff_configuration();
    roff_json();
    return EXIT_DONE;
}

/* ---- completions ---- */

static void bash_completion(void)
{
    puts("_avito() {\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} names=\n"
         "    if [ \"$COMP_CWORD\" -eq 1 ]; then");
    printf("        names=\"");
    for (size_t i = 0; i < commands_count; i++) {
        printf("%s%s", i > 0 ? " " : "", commands[i].name);
    }
    puts("\"\n    else\n        case $command in");
    for (size_t i = 0; i < commands_count; i++) {
        printf("            %s) names=\"", commands[i].name);
        for (int id = 0; id < OPTIONS; id++) {
            if (has_row(&commands[i], id, false) || has_row(&commands[i], id, true)) {
                printf("--%s ", options[id].name);
            }
        }
        puts("\" ;;");
    }
    puts("        esac\n    fi\n"
         "    COMPREPLY=($(compgen -W \"$names\" -- \"$word\"))\n"
         "    [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$word\"))\n"
         "}\ncomplete -F _avito avito");
}

/* Text within single quotes, for zsh and fish. */
static void quoted(const char *s, const char *quote)
{
    for (; *s != '\0'; s++) {
        if (*s == '\'') {
            fputs(quote, stdout);
        } else {
            putchar(*s);
        }
    }
}

static void zsh_options(const command *c, bool common)
{
    for (int id = 0; id < OPTIONS; id++) {
        if (has_row(c, id, common)) {
            printf(" '--%s[", options[id].name);
            quoted(say(options[id].what), "'\\''");
            printf("]%s%s'", options[id].value != NULL ? ":" : "",
                   options[id].value != NULL ? options[id].value : "");
        }
    }
}

static void zsh_completion(void)
{
    puts("#compdef avito\n_avito() {\n    local -a commands\n    commands=(");
    for (size_t i = 0; i < commands_count; i++) {
        printf("        '%s:", commands[i].name);
        quoted(say(commands[i].what), "'\\''");
        puts("'");
    }
    puts("    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        "
         "return\n    fi\n"
         "    case $words[2] in");
    for (size_t i = 0; i < commands_count; i++) {
        printf("        %s) _arguments", commands[i].name);
        zsh_options(&commands[i], true);
        zsh_options(&commands[i], false);
        puts(" '*:file:_files' ;;");
    }
    puts("    esac\n}\ncompdef _avito avito");
}

static void fish_options(const char *condition, const command *c, bool common)
{
    for (int id = 0; id < OPTIONS; id++) {
        if (has_row(c, id, common)) {
            printf("complete -c avito%s -l %s%s -d '", condition, options[id].name,
                   options[id].value != NULL ? " -r" : "");
            quoted(say(options[id].what), "\\'");
            puts("'");
        }
    }
}

static void fish_completion(void)
{
    fish_options("", NULL, true);
    for (size_t i = 0; i < commands_count; i++) {
        char condition[96];

        printf("complete -c avito -n __fish_use_subcommand -f -a %s -d '", commands[i].name);
        quoted(say(commands[i].what), "\\'");
        puts("'");
        snprintf(condition, sizeof condition, " -n '__fish_seen_subcommand_from %s'",
                 commands[i].name);
        fish_options(condition, &commands[i], false);
    }
}

int run_completion(const arguments *a)
{
    static const struct {
        const char *shell;
        void (*print)(void);
    } shells[] = {{"bash", bash_completion}, {"zsh", zsh_completion}, {"fish", fish_completion}};

    for (size_t i = 0; i < COUNT(shells); i++) {
        if (strcmp(a->words[0], shells[i].shell) == 0) {
            shells[i].print();
            return EXIT_DONE;
        }
    }
    complain(TEXT("completion is there for bash, zsh and fish\n",
                  "автодополнение есть для bash, zsh и fish\n"));
    return EXIT_USAGE;
}
