// A command of WASI in C: what it reads in capitals, and an error where there is nothing to read.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    int byte, count = 0;
    while ((byte = getchar()) != EOF) {
        putchar(toupper(byte));
        count++;
    }
    if (count == 0) {
        fprintf(stderr, "%s was sent nothing\n", getenv("ATTACCA_FUNCTION"));
        return 3;
    }
    return 0;
}
