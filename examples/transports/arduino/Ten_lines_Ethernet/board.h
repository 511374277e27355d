/* What only you know of your board. Until the two functions are there, avito.begin() is false and
 * avito.error() says which is missing.
 *
 * По-русски: что знаете только вы о своей плате: время и настоящие случайные байты. Пока этих двух функций
 * нет, avito.begin() возвращает false, а avito.error() говорит, чего не хватает. */
static uint8_t mac[6] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01}; /* your shield's own */

static int64_t board_time(void *)
{
    return 0; /* seconds since 1970 in UTC: from a clock chip, or from NTP */
}

static int board_entropy(void *, void *, size_t)
{
    return AVITO_ERR_OPTION_ENTROPY; /* fill it from a true generator (TRNG), then AVITO_OK; never from rand() */
}

static AvitoBoard board = {board_time, board_entropy, nullptr, nullptr, nullptr, nullptr, nullptr};
