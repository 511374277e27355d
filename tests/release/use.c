/* A program that uses only what a package installs: says whose account it is, by the environment's
 * credentials. */
#include <avito_messenger.h>
#include <stdio.h>

int main(void)
{
    static avito_posix a;
    const int rc = avito_posix_sign_in(&a, NULL);

    if (rc == AVITO_OK) {
        printf("account %lld\n", (long long)a.self.id);
    }
    return avito_posix_perror(&a, rc);
}
