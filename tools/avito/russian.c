/* russian.c - see russian.h. Errors in the order of AVITO_ERRORS, without those that the program cannot make. */
#include "russian.h"

#include <errno.h>
#include <string.h>

static const struct {
    int result;
    sentence text;
} rows[] = {
    {AVITO_ERR_ARGUMENT,
     {"argument is missing or out of range; see the command's help",
      "аргумента нет, или он вне допустимого; см. справку команды"}},
    {AVITO_ERR_TEXT,
     {"text is blank or over 1000 characters; mend it, or split it: --split",
      "текст пуст или длиннее 1000 знаков; исправьте его или разделите: --split"}},
    {AVITO_ERR_UTF8,
     {"text is not UTF-8 or holds a NUL byte; convert it",
      "текст не в UTF-8 или содержит нулевой байт; перекодируйте его"}},
    {AVITO_ERR_ID,
     {"id is empty, '.', '..', too long or has a forbidden byte; pass it as received",
      "номер пуст, слишком длинный или с недопустимым знаком; передайте его как получили"}},
    {AVITO_ERR_BUSY,
     {"another program has it; wait for that one, or end it",
      "занято другой программой; дождитесь её или завершите"}},
    {AVITO_ERR_CANCELLED,
     {"call was cancelled; start it again if it is still wanted",
      "вызов отменён; повторите, если он ещё нужен"}},
    {AVITO_ERR_SOURCE,
     {"file cannot be read, or ended early; check it",
      "файл не читается или кончился раньше времени; проверьте его"}},
    {AVITO_ERR_HOOK,
     {"the state cannot be stored or read; check disk and rights",
      "не удалось сохранить или прочесть состояние; проверьте диск и права"}},
    {AVITO_ERR_FILE,
     {"file or folder cannot be read or written; check its path, its rights and the disk",
      "файл или папку не удаётся прочесть или записать; проверьте путь, права и диск"}},
    {AVITO_ERR_OPTION_CREDENTIALS,
     {"client id or secret is missing or not visible ASCII; avito login",
      "нет client id или secret, или в них недопустимые знаки; avito login"}},
    {AVITO_ERR_OPTION_HOST,
     {"host is not a bare name, without http:// and path; mend the configuration",
      "host - имя сервера без http:// и пути; исправьте настройки"}},
    {AVITO_ERR_OPTION_ENTROPY,
     {"the system gives no random numbers; check /dev/urandom",
      "система не даёт случайных чисел; проверьте /dev/urandom"}},
    {AVITO_ERR_OPTION_TIME,
     {"the clock shows a time before 2020", "часы показывают время до 2020 года"}},
    {AVITO_ERR_OPTION_ANCHORS,
     {"no trust anchors; install ca-certificates, or set AVITO_CA_FILE",
      "нет корневых сертификатов; установите ca-certificates или задайте AVITO_CA_FILE"}},
    {AVITO_ERR_OPTION_STATE,
     {"stored state is another account's; give each account a folder of its own",
      "сохранённое состояние другой учётной записи; у каждой должна быть своя папка"}},
    {AVITO_ERR_ARENA,
     {"answer does not fit into memory; report it",
      "ответ не помещается в память; сообщите об этом"}},
    {AVITO_ERR_TOKEN_ROOM,
     {"token does not fit into memory; report it",
      "токен не помещается в память; сообщите об этом"}},
    {AVITO_ERR_ROOM,
     {"there is no room; if sends are in doubt, settle them: avito confirm",
      "нет места; если есть отправки под вопросом, выясните их: avito confirm"}},
    {AVITO_ERR_TLS_ROOM,
     {"TLS record does not fit into memory; report it",
      "запись TLS не помещается в память; сообщите об этом"}},
    {AVITO_ERR_RESOLVE,
     {"no address for the host name; check network and DNS",
      "адрес сервера не найден; проверьте сеть и DNS"}},
    {AVITO_ERR_CONNECT,
     {"no address accepted a connection; check network and firewall",
      "сервер не принимает соединение; проверьте сеть и межсетевой экран"}},
    {AVITO_ERR_SEND,
     {"connection broke while sending; try again later",
      "соединение оборвалось при отправке; повторите позже"}},
    {AVITO_ERR_RECV,
     {"connection broke while receiving; try again later",
      "соединение оборвалось при чтении; повторите позже"}},
    {AVITO_ERR_CLOSED,
     {"server closed before its answer ended; try again later",
      "сервер закрыл соединение, не договорив; повторите позже"}},
    {AVITO_ERR_TIMEOUT_CONNECT,
     {"no connection in time; check the network",
      "соединение не установилось вовремя; проверьте сеть"}},
    {AVITO_ERR_TIMEOUT_IDLE,
     {"no byte moved for too long; check the network",
      "слишком долго ничего не передаётся; проверьте сеть"}},
    {AVITO_ERR_TIMEOUT_TOTAL,
     {"call took too long; try again later",
      "вызов не уложился в отведённое время; повторите позже"}},
    {AVITO_ERR_TLS,
     {"TLS failed; check that it is this server and port",
      "не удалось начать TLS; проверьте, тот ли это сервер и порт"}},
    {AVITO_ERR_TLS_TRUST,
     {"certificates lead to no trust anchor; check roots and clock",
      "сертификат сервера никем не подтверждён; проверьте корневые сертификаты и часы"}},
    {AVITO_ERR_TLS_NAME,
     {"certificate is for another name; check the server's name",
      "сертификат выдан другому имени; проверьте имя сервера"}},
    {AVITO_ERR_TLS_TIME,
     {"certificate is expired or not valid yet", "сертификат просрочен или ещё не действует"}},
    {AVITO_ERR_TLS_CERT,
     {"certificate breaks a rule; somebody may be in between",
      "сертификат нарушает правила; возможно, кто-то стоит между вами и сервером"}},
    {AVITO_ERR_TLS_STALL,
     {"server keeps us busy without progress; try again later",
      "сервер тянет время и не отвечает; повторите позже"}},
    {AVITO_ERR_HTTP,
     {"answer is not HTTP/1.1; check server and port: a proxy may interfere",
      "это не ответ HTTP; проверьте сервер и порт, мешать может прокси"}},
    {AVITO_ERR_HTTP_LENGTH,
     {"answer's length is malformed; a proxy may interfere",
      "длина ответа неверна; мешать может прокси"}},
    {AVITO_ERR_HTTP_CHUNK,
     {"chunk of the answer is malformed; a proxy may interfere",
      "ответ разбит на части неверно; мешать может прокси"}},
    {AVITO_ERR_HTTP_HEAD,
     {"answer's head is over 64 KB; a proxy may interfere",
      "заголовок ответа больше 64 КБ; мешать может прокси"}},
    {AVITO_ERR_JSON,
     {"answer is not valid JSON; try again, and report it if it stays",
      "ответ - не JSON; повторите, а если не проходит, сообщите"}},
    {AVITO_ERR_JSON_UTF8,
     {"answer is not UTF-8; try again, and report it if it stays",
      "ответ не в UTF-8; повторите, а если не проходит, сообщите"}},
    {AVITO_ERR_JSON_DEPTH,
     {"answer is nested deeper than 32 levels; report it",
      "ответ вложен глубже 32 уровней; сообщите об этом"}},
    {AVITO_ERR_MODEL,
     {"field has another type than known; report it",
      "поле ответа имеет другой вид, чем известно; сообщите об этом"}},
    {AVITO_ERR_DUPLICATE,
     {"field stands twice in the answer; report it",
      "поле ответа встречается дважды; сообщите об этом"}},
    {AVITO_ERR_EMPTY, {"answer is empty; try again later", "ответ пуст; повторите позже"}},
    {AVITO_ERR_REDIRECT,
     {"redirect, which is never followed; check the server's name",
      "сервер отправляет на другой адрес, туда мы не идём; проверьте имя сервера"}},
    {AVITO_ERR_BAD_REQUEST, {"400: request was not accepted", "400: запрос не принят"}},
    {AVITO_ERR_UNAUTHORIZED,
     {"401: token was refused, and another one, too; check client id and secret",
      "401: токен не принят, и новый тоже; проверьте client id и secret"}},
    {AVITO_ERR_PAYMENT,
     {"402: tariff lacks the Messenger API; change the tariff",
      "402: в тарифе нет API мессенджера; смените тариф"}},
    {AVITO_ERR_FORBIDDEN,
     {"403: no permission; check ids, and whose chat it is",
      "403: нет доступа; проверьте номера и чей это чат"}},
    {AVITO_ERR_NOT_FOUND,
     {"404: no such chat, message or user", "404: нет такого чата, сообщения или пользователя"}},
    {AVITO_ERR_CONFLICT, {"409: server sees a conflict", "409: сервер сообщает о конфликте"}},
    {AVITO_ERR_TOO_LARGE,
     {"413: picture is too large; at most 24 MB and 75 megapixels",
      "413: картинка слишком велика; не больше 24 МБ и 75 мегапикселей"}},
    {AVITO_ERR_RATE,
     {"429: too many requests; wait a minute", "429: слишком много запросов; подождите минуту"}},
    {AVITO_ERR_SERVER,
     {"5xx: server failed; try again later", "5xx: сбой на сервере; повторите позже"}},
    {AVITO_ERR_STATUS,
     {"unexpected status; try again later", "неожиданный код ответа; повторите позже"}},
    {AVITO_ERR_REFUSED, {"server said no", "сервер ответил отказом"}},
    {AVITO_ERR_CREDENTIALS,
     {"client id and secret were refused; check them: avito login",
      "client id и secret не приняты; проверьте их: avito login"}},
    {AVITO_ERR_REFRESH_TOKEN,
     {"access was withdrawn, or the key to this account is gone or used",
      "доступ отозван, или ключа от этой учётной записи нет, или он уже использован"}},
};

const char *error_text(int result)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].result == result) {
            return say(rows[i].text);
        }
    }
    return say(
        TEXT("this is an error of the program; report it", "это ошибка программы; сообщите о ней"));
}

bool take_inbox_event(unsigned *events, sentence *what)
{
    static const struct {
        unsigned bit;
        sentence text;
    } events_of_inbox[] = {
        {AVITO_INBOX_OVERRUN,
         {"more messages came at once than are told apart: some may come twice",
          "пришло больше сообщений, чем можно различить: некоторые могут прийти дважды"}},
        {AVITO_INBOX_UNREACHABLE,
         {"the service does not let all be read: some may be missing",
          "сервис даёт прочесть не всё: некоторых может не хватать"}},
        {AVITO_INBOX_STATE_LOST,
         {"the stored state could not be read: it starts over",
          "сохранённое состояние не прочлось: начато заново"}},
        {AVITO_INBOX_TIME,
         {"a time ahead of the service's was not believed: some may come twice",
          "времени из будущего нет веры: некоторые могут прийти дважды"}},
    };
    size_t i = 0;

    while (i < sizeof events_of_inbox / sizeof *events_of_inbox &&
           (*events & events_of_inbox[i].bit) == 0) {
        i++;
    }
    if (i == sizeof events_of_inbox / sizeof *events_of_inbox) {
        return false;
    }
    *events &= ~events_of_inbox[i].bit;
    *what = events_of_inbox[i].text;
    return true;
}

/* ---- the system's errors ---- */

static const struct {
    int number;
    const char *text;
} system_rows[] = {
    {EACCES, "нет прав"},
    {EPERM, "операция не разрешена"},
    {ENOENT, "нет такого файла или папки"},
    {EEXIST, "уже есть"},
    {ENOTDIR, "это не папка"},
    {EISDIR, "это папка"},
    {ENOSPC, "на диске нет места"},
    {EDQUOT, "превышена квота диска"},
    {EFBIG, "файл слишком велик"},
    {EROFS, "файловая система только для чтения"},
    {EIO, "ошибка ввода-вывода"},
    {ELOOP, "слишком много символических ссылок"},
    {ENAMETOOLONG, "имя слишком длинное"},
    {EBADF, "файл закрыт"},
    {ENOLCK, "файловая система не даёт блокировать файлы"},
    {EMFILE, "открыто слишком много файлов"},
    {ENFILE, "в системе открыто слишком много файлов"},
    {ENOMEM, "не хватает памяти"},
    {EPIPE, "некому читать"},
    {EADDRINUSE, "адрес уже занят"},
    {EADDRNOTAVAIL, "такого адреса у этой машины нет"},
};

const char *system_text(int number)
{
    for (size_t i = 0; language_is_russian() && i < sizeof system_rows / sizeof *system_rows; i++) {
        if (system_rows[i].number == number) {
            return system_rows[i].text;
        }
    }
    return strerror(number);
}

void system_error(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, system_text(errno));
}

/* Replaces `from` where it follows a colon. */
static bool replace(char *text, size_t cap, const char *from, const char *to)
{
    char *at = strstr(text, from), rest[256];

    if (from[0] == '\0' || at == NULL || at < text + 2 || memcmp(at - 2, ": ", 2) != 0) {
        return false;
    }
    snprintf(rest, sizeof rest, "%s", at + strlen(from));
    snprintf(at, cap - (size_t)(at - text), "%s%s", to, rest);
    return true;
}

const char *problem_text(const char *problem)
{
    static const sentence phrases[] = {
        {"cannot be made", "не создать"},
        {"cannot be written", "не записать"},
        {"cannot be put in place", "не поставить на место"},
        {"cannot be opened", "не открыть"},
        {"cannot be read", "не прочесть"},
        {"cannot be locked", "не запереть"},
        {"cannot be removed", "не удалить"},
        {"the tokens are too long to store, or hold a line end",
         "ключи доступа слишком длинны или с концом строки"},
        {"too many sends are not settled", "слишком много отправок без исхода"},
        {"another program has held this for 5 seconds", "другая программа держит это 5 секунд"},
        {"the inbox is in use by another program", "входящие уже читает другая программа"},
        {"the inbox is in use by process", "входящие уже читает процесс"},
    };
    static char text[1024];

    snprintf(text, sizeof text, "%s", problem);
    for (size_t i = 0; language_is_russian() && i < sizeof phrases / sizeof *phrases; i++) {
        (void)replace(text, sizeof text, phrases[i].en, phrases[i].ru);
    }
    for (size_t i = 0; language_is_russian() && i < sizeof system_rows / sizeof *system_rows; i++) {
        (void)replace(text, sizeof text, strerror(system_rows[i].number), system_rows[i].text);
    }
    return text;
}
