/* cc -I. examples/05_upload_image.c -o build/05_upload_image -lbearssl
 *
 * По-русски: отправляет картинку; файл читается частями и целиком в памяти не лежит.
 *
 * Sends a picture into a chat: 05_upload_image CHAT_ID FILE
 *
 * The file is read in pieces while it is sent, and never held in memory as a whole. */
#include "example.h"

#include <strings.h>

static char roots[256 * 1024];
static char records[AVITO_TLS_BUFFER_FULL(16384)]; /* so that an early refusal is seen at once */
static char tokens[AVITO_TOKENS_SIZE(128)], window[4096], room[8192];

/* The same bytes may be asked for again: if the token turns out to be expired, everything is sent
 * once more. */
static long read_file(void *ctx, size_t offset, void *buf, size_t cap)
{
    FILE *file = (FILE *)ctx;

    if (fseek(file, (long)offset, SEEK_SET) != 0) {
        return AVITO_ERR_SOURCE;
    }
    cap = fread(buf, 1, cap, file);
    return cap > 0 ? (long)cap : AVITO_ERR_SOURCE;
}

static void show_progress(void *ctx, size_t sent, size_t size)
{
    (void)ctx;
    fprintf(stderr, "\r%zu of %zu bytes%s", sent, size, sent == size ? "\n" : "");
}

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {{".png", "image/png"},
                                           {".gif", "image/gif"},
                                           {".bmp", "image/bmp"},
                                           {".heic", "image/heic"}};
    const char *dot = strrchr(name, '.');
    size_t i;

    for (i = 0; dot != NULL && i < sizeof types / sizeof *types; i++) {
        if (strcasecmp(dot, types[i][0]) == 0) {
            return types[i][1];
        }
    }
    return "image/jpeg";
}

static int send_picture(avito_client *client, const char *chat_id, const avito_image_source *source)
{
    avito_arena arena = avito_arena_of(room, sizeof room);
    avito_self me;
    avito_uploaded_image image;
    avito_message message;
    int result = avito_get_self(client, &arena, &me);

    if (result == AVITO_OK) {
        result = avito_upload_image(client, me.id, source, &arena, &image);
    }
    if (result == AVITO_OK) {
        printf("uploaded as %s\n", image.image_id.ptr);
        result =
            avito_send_image_message(client, me.id, chat_id, image.image_id.ptr, &arena, &message);
    }
    if (result == AVITO_OK) {
        printf("sent as %s\n", message.id.ptr);
    }
    return result;
}

int main(int argc, char **argv)
{
    avito_image_source source = {.read = read_file, .progress = show_progress};
    avito_client_options lane = {.window = window,
                                 .window_cap = sizeof window,
                                 .total_timeout_ms = 10 * 60 * 1000}; /* 24 MB may take long */
    avito_anchors anchors;
    avito_account account;
    avito_client client;
    avito_tcp tcp;
    avito_tls tls;
    FILE *file = argc == 3 ? fopen(argv[2], "rb") : NULL;
    long size;
    int result;

    if (argc == 3 && file == NULL) {
        perror(argv[2]);
        return 2;
    }
    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) <= 0 ||
        (unsigned long)size > AVITO_IMAGE_MAX) {
        fprintf(stderr, "usage: 05_upload_image CHAT_ID FILE (of up to 24 MB)\n");
        return 2;
    }
    source.ctx = file;
    source.size = (size_t)size;
    source.file_name = strrchr(argv[2], '/') != NULL ? strrchr(argv[2], '/') + 1 : argv[2];
    source.content_type = type_of(source.file_name);

    example_must(avito_tcp_init(&tcp, NULL), "TCP");
    example_roots(&anchors, roots, sizeof roots);
    example_tls(&tls, avito_tcp_transport(&tcp), &anchors, records, sizeof records);
    example_account(&account, tokens, sizeof tokens);
    lane.transport = avito_tls_transport(&tls);
    example_must(avito_client_init(&client, &account, &lane), "client");

    result = send_picture(&client, argv[1], &source);
    (void)fclose(file);
    if (result != AVITO_OK) {
        return example_failed(&client, result);
    }
    avito_client_close(&client);
    return 0;
}
