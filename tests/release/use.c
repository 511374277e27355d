/* A program that only uses what a package brings: whose account it is, from the environment. */
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
