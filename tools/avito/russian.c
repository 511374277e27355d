/* russian.c - see russian.h. In the order of AVITO_ERRORS. */
#include "russian.h"
#include "language.h"

#include <errno.h>
#include <string.h>

static const struct {
    int result;
    const char *text;
} rows[] = {
    {AVITO_ERR_ARGUMENT, "аргумента нет, или он вне допустимого; см. справку команды"},
    {AVITO_ERR_TEXT, "текст пуст или длиннее 1000 знаков; исправьте его или разделите: --split"},
    {AVITO_ERR_UTF8, "текст не в UTF-8 или содержит нулевой байт; перекодируйте его"},
    {AVITO_ERR_ID,
     "номер пуст, слишком длинный или с недопустимым знаком; передайте его как получили"},
    {AVITO_ERR_BUSY, "занято другой программой; дождитесь её или завершите"},
    {AVITO_ERR_IDLE, "такого вызова сейчас нет; это ошибка программы, сообщите о ней"},
    {AVITO_ERR_CANCELLED, "вызов отменён; повторите, если он ещё нужен"},
    {AVITO_ERR_SOURCE, "файл не читается или кончился раньше времени; проверьте его"},
    {AVITO_ERR_HOOK, "не удалось сохранить или прочесть состояние; проверьте диск и права"},
    {AVITO_ERR_FILE,
     "файл или папку не удаётся прочесть или записать; проверьте путь, права и диск"},
    {AVITO_ERR_OPTION_CREDENTIALS,
     "нет client id или secret, или в них недопустимые знаки; avito login"},
    {AVITO_ERR_OPTION_TOKENS, "не хватает памяти для токена; это ошибка программы, сообщите о ней"},
    {AVITO_ERR_OPTION_HOST, "host - имя сервера без http:// и пути; исправьте настройки"},
    {AVITO_ERR_OPTION_CLOCK, "нет часов; это ошибка программы, сообщите о ней"},
    {AVITO_ERR_OPTION_ENTROPY, "система не даёт случайных чисел; проверьте /dev/urandom"},
    {AVITO_ERR_OPTION_TIME, "часы показывают время до 2020 года"},
    {AVITO_ERR_OPTION_TRANSPORT, "нет транспорта; это ошибка программы, сообщите о ней"},
    {AVITO_ERR_OPTION_WINDOW, "не хватает памяти для обмена; это ошибка программы, сообщите о ней"},
    {AVITO_ERR_OPTION_ANCHORS,
     "нет корневых сертификатов; установите ca-certificates или задайте AVITO_CA_FILE"},
    {AVITO_ERR_OPTION_RESOLVE,
     "имя сервера нельзя узнать не ожидая; это ошибка программы, сообщите о ней"},
    {AVITO_ERR_OPTION_TOKEN_STORE,
     "хранение токенов не подключено; это ошибка программы, сообщите о ней"},
    {AVITO_ERR_OPTION_DIAGNOSTICS,
     "диагностика не подключена; это ошибка программы, сообщите о ней"},
    {AVITO_ERR_OPTION_LANES,
     "несколько соединений не подключены; это ошибка программы, сообщите о ней"},
    {AVITO_ERR_OPTION_RETRIES, "повторы не подключены; это ошибка программы, сообщите о ней"},
    {AVITO_ERR_OPTION_DRY_RUN, "пробный запуск не подключён; это ошибка программы, сообщите о ней"},
    {AVITO_ERR_OPTION_RAW, "неизвестное не сохраняется; это ошибка программы, сообщите о ней"},
    {AVITO_ERR_OPTION_SENT, "отправленное не возвращается; это ошибка программы, сообщите о ней"},
    {AVITO_ERR_OPTION_PAGES, "читается только одна страница; это ошибка программы, сообщите о ней"},
    {AVITO_ERR_OPTION_STATE,
     "сохранённое состояние другой учётной записи; у каждой должна быть своя папка"},
    {AVITO_ERR_OPTION_HEADERS,
     "строка заголовка неверна или принадлежит библиотеке; это ошибка программы, сообщите о ней"},
    {AVITO_ERR_OPTION_CHATS, "память о чатах не подключена; это ошибка программы, сообщите о ней"},
    {AVITO_ERR_ARENA, "ответ не помещается в память; сообщите об этом"},
    {AVITO_ERR_TOKEN_ROOM, "токен не помещается в память; сообщите об этом"},
    {AVITO_ERR_ROOM, "не помещается в память; сообщите об этом"},
    {AVITO_ERR_TLS_ROOM, "запись TLS не помещается в память; сообщите об этом"},
    {AVITO_ERR_RESOLVE, "адрес сервера не найден; проверьте сеть и DNS"},
    {AVITO_ERR_CONNECT, "сервер не принимает соединение; проверьте сеть и межсетевой экран"},
    {AVITO_ERR_SEND, "соединение оборвалось при отправке; повторите позже"},
    {AVITO_ERR_RECV, "соединение оборвалось при чтении; повторите позже"},
    {AVITO_ERR_CLOSED, "сервер закрыл соединение, не договорив; повторите позже"},
    {AVITO_ERR_TIMEOUT_CONNECT, "соединение не установилось вовремя; проверьте сеть"},
    {AVITO_ERR_TIMEOUT_IDLE, "слишком долго ничего не передаётся; проверьте сеть"},
    {AVITO_ERR_TIMEOUT_TOTAL, "вызов не уложился в отведённое время; повторите позже"},
    {AVITO_ERR_TLS, "TLS не состоялся; проверьте, что это тот сервер и порт"},
    {AVITO_ERR_TLS_TRUST,
     "сертификат сервера никем не подтверждён; проверьте корневые сертификаты и часы"},
    {AVITO_ERR_TLS_NAME, "сертификат выдан другому имени; проверьте имя сервера"},
    {AVITO_ERR_TLS_TIME, "сертификат просрочен или ещё не действует"},
    {AVITO_ERR_TLS_CERT,
     "сертификат нарушает правила; возможно, кто-то стоит между вами и сервером"},
    {AVITO_ERR_TLS_STALL, "сервер занимает разговорами и не отвечает; повторите позже"},
    {AVITO_ERR_HTTP, "это не ответ HTTP; проверьте сервер и порт, мешать может прокси"},
    {AVITO_ERR_HTTP_LENGTH, "длина ответа неверна; мешать может прокси"},
    {AVITO_ERR_HTTP_CHUNK, "ответ разбит на части неверно; мешать может прокси"},
    {AVITO_ERR_HTTP_HEAD, "заголовок ответа больше 64 КБ; мешать может прокси"},
    {AVITO_ERR_JSON, "ответ - не JSON; повторите, а если не проходит, сообщите"},
    {AVITO_ERR_JSON_UTF8, "ответ не в UTF-8; повторите, а если не проходит, сообщите"},
    {AVITO_ERR_JSON_DEPTH, "ответ вложен глубже 32 уровней; сообщите об этом"},
    {AVITO_ERR_MODEL, "поле ответа имеет другой вид, чем известно; сообщите об этом"},
    {AVITO_ERR_DUPLICATE, "поле ответа встречается дважды; сообщите об этом"},
    {AVITO_ERR_EMPTY, "ответ пуст; повторите позже"},
    {AVITO_ERR_REDIRECT,
     "сервер отсылает на другой адрес, а это не выполняется; проверьте имя сервера"},
    {AVITO_ERR_BAD_REQUEST, "400: запрос не принят; причина рядом"},
    {AVITO_ERR_UNAUTHORIZED, "401: токен не принят, и новый тоже; проверьте client id и secret"},
    {AVITO_ERR_PAYMENT, "402: в тарифе нет API мессенджера; смените тариф"},
    {AVITO_ERR_FORBIDDEN, "403: нет доступа; проверьте номера и чей это чат"},
    {AVITO_ERR_NOT_FOUND, "404: нет такого чата, сообщения или пользователя"},
    {AVITO_ERR_CONFLICT, "409: сервер видит противоречие; причина рядом"},
    {AVITO_ERR_TOO_LARGE, "413: картинка слишком велика; не больше 24 МБ и 75 мегапикселей"},
    {AVITO_ERR_RATE, "429: слишком много запросов; подождите минуту"},
    {AVITO_ERR_SERVER, "5xx: сбой на сервере; повторите позже"},
    {AVITO_ERR_STATUS, "неожиданный код ответа; повторите позже"},
    {AVITO_ERR_REFUSED, "сервер ответил отказом; причина рядом"},
    {AVITO_ERR_CREDENTIALS, "client id и secret не приняты; проверьте их: avito login"},
    {AVITO_ERR_REFRESH_TOKEN,
     "доступ отозван, или ключа от этой учётной записи нет, или он уже использован"},
};

const char *error_in_russian(int result)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].result == result) {
            return rows[i].text;
        }
    }
    return NULL;
}

const char *error_in_english(int result)
{
    return result == AVITO_ERR_OPTION_TIME ? "the clock shows a time before 2020"
           : result == AVITO_ERR_BUSY      ? "another program has it; wait for that one, or end it"
           : result == AVITO_ERR_HOOK ? "the state cannot be stored or read; check disk and rights"
           : result == AVITO_ERR_REFRESH_TOKEN
               ? "access was withdrawn, or the key to this account is gone or used"
               : NULL;
}

const char *error_text(int result)
{
    const char *text = language_is_russian() ? error_in_russian(result) : error_in_english(result);

    return text != NULL ? text : avito_error_text(result);
}

void error_print(FILE *out, int result)
{
    fputs(error_text(result), out);
    if (!language_is_russian()) { /* the Russian text says it, too */
        fprintf(out, "; %s", avito_error_remedy(result));
    }
    fputc('\n', out);
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
    {EPIPE, "читатель ушёл"},
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
        {"the tokens are too long to store", "ключи доступа слишком длинны"},
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
