// A pure function in C: how many letters have to be changed, added or left out to make the second line of its input of
// the first. It imports nothing, and so has no library either: its memory is what it makes of it.
#include <stddef.h>
#include <stdint.h>

#define PAGE 65536
#define EXPORT(name) __attribute__((export_name(name)))

extern unsigned char __heap_base;
static unsigned char *end = &__heap_base;

EXPORT("allocate") void *allocate(size_t size) {
    unsigned char *found = (unsigned char *)(((uintptr_t)end + 7) & ~(uintptr_t)7);
    end = found + size;
    size_t there = __builtin_wasm_memory_size(0) * PAGE;
    if ((uintptr_t)end > there &&
        __builtin_wasm_memory_grow(0, ((uintptr_t)end - there + PAGE - 1) / PAGE) == (size_t)-1)
        __builtin_trap(); // the function has no more memory
    return found;
}

static unsigned least(unsigned a, unsigned b, unsigned c) {
    unsigned found = a < b ? a : b;
    return found < c ? found : c;
}

static unsigned distance(const char *one, size_t ones, const char *other, size_t others) {
    unsigned *row = allocate((others + 1) * sizeof *row);
    for (size_t j = 0; j <= others; j++) row[j] = j;
    for (size_t i = 1; i <= ones; i++) {
        unsigned before = row[0];
        row[0] = i;
        for (size_t j = 1; j <= others; j++) {
            unsigned changed = before + (one[i - 1] != other[j - 1]);
            before = row[j];
            row[j] = least(row[j] + 1, row[j - 1] + 1, changed);
        }
    }
    return row[others];
}

EXPORT("handle") uint64_t handle(const char *body, size_t size) {
    size_t first = 0;
    while (first < size && body[first] != '\n') first++;
    size_t from = first < size ? first + 1 : size, last = from;
    while (last < size && body[last] != '\n') last++;
    unsigned left = distance(body, first, body + from, last - from);
    char *digits = allocate(10), *at = digits + 10;
    do *--at = '0' + left % 10;
    while (left /= 10);
    return (uint64_t)(uintptr_t)at << 32 | (uint64_t)(digits + 10 - at);
}
