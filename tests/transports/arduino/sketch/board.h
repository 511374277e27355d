/* What a sketch for any other board brings along. */
static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
static AvitoBoard board;
