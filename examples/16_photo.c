/* cc -I. examples/16_photo.c -o build/16_photo -lbearssl
 *
 * По-русски: фото с подписью; подписей в сервисе нет, поэтому это второе сообщение.
 *
 * Sends a photo with a caption: 16_photo CHAT PHOTO CAPTION. The service has no captions, so the
 * caption is a message of its own after the photo. */
#define AVITO_MESSENGER_IMPLEMENTATION
#define AVITO_WITH_POSIX   1
#define AVITO_WITH_BEARSSL 1
#include "avito_messenger.h"

int main(int argc, char **argv)
{
    static avito_posix a;
    avito_image_file photo;
    avito_uploaded_image up;
    const char *to = argv[1];

    if (argc != 4) {
        return fprintf(stderr, "usage: 16_photo CHAT PHOTO CAPTION\n"), 2;
    }
    int rc = avito_posix_sign_in(&a, NULL);
    rc = rc ? rc : avito_image_from_file(&photo, argv[2]);
    rc = rc ? rc : avito_upload_image(&a.client, a.self.id, &photo.source, &a.arena, &up);
    rc = rc ? rc : avito_send_image_message(&a.client, a.self.id, to, up.image_id.ptr, NULL, NULL);
    rc = rc ? rc : avito_send_message(&a.client, a.self.id, to, argv[3], NULL, NULL);
    return avito_posix_perror(&a, rc);
}
