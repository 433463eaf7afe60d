// random_values: see random_values.h.
#include "tests/bpf_dsl/random_values.h"

enum { WINDOW = 32 };

static const uint64_t borders[] = {0,
                                   1,
                                   2,
                                   0x7f,
                                   0x80,
                                   0xff,
                                   0xffff,
                                   0x10000,
                                   0x7fffffff,
                                   0x80000000,
                                   0xfffffffe,
                                   0xffffffff,
                                   0x100000000,
                                   0x1ffffffff,
                                   INT64_MAX,
                                   (uint64_t)INT64_MAX + 1,
                                   UINT64_MAX - 1,
                                   UINT64_MAX};

static uint64_t some_bit(struct random *random, uint32_t bits)
{
    return (uint64_t)1 << random_below(random, bits);
}

// Small numbers collide often, which is what makes rules overlap.
uint64_t random_number(struct random *random)
{
    switch (random_below(random, 8)) {
    case 0:
        return borders[random_below(random, sizeof borders / sizeof borders[0])];
    case 1:
        return random_next(random) >> random_below(random, 64);
    case 2:
        return (uint64_t)-1 - random_below(random, 16);
    case 3:
        return some_bit(random, 64);
    default:
        return random_below(random, 32);
    }
}

uint64_t random_mask(struct random *random)
{
    switch (random_below(random, 5)) {
    case 0:
        return some_bit(random, 64);
    case 1:
        return ~(some_bit(random, 64) - 1);
    case 2:
        return random_next(random);
    default:
        return random_next(random) & random_next(random) >> 32 & 0xff;
    }
}

// --- families ---------------------------------------------------------------------------------------------------------

// Where a cluster of numbers begins: low, or across a border.
static uint64_t some_base(struct random *random)
{
    switch (random_below(random, 6)) {
    case 0:
        return 0;
    case 1:
        return borders[random_below(random, sizeof borders / sizeof borders[0])] - random_below(random, WINDOW);
    case 2:
        return random_next(random) >> 32;
    case 3:
        return (random_next(random) >> 32) << 32 | random_below(random, 100);
    default:
        return random_below(random, 1000);
    }
}

static void fill_closed(struct random *random, uint64_t *values, uint32_t count)
{
    uint64_t base = random_once_in(random, 2) ? 0 : some_base(random);
    uint64_t bits[10];
    for (int i = 0; i < 10; i++) {
        bits[i] = some_bit(random, random_once_in(random, 4) ? 64 : 32);
    }
    for (uint32_t i = 0; i < count; i++) {
        values[i] = base;
        for (int bit = 0; bit < 10; bit++) {
            values[i] ^= (i >> bit & 1) != 0 ? bits[bit] : 0;
        }
    }
}

static void fill_ascending(struct random *random, uint64_t *values, uint32_t count)
{
    uint64_t value = some_base(random);
    for (uint32_t i = 0; i < count; i++) {
        values[i] = value;
        value += random_once_in(random, 5) ? 2 + random_below(random, 4) : 1;
    }
}

static void fill_windows(struct random *random, uint64_t *values, uint32_t count, uint32_t windows)
{
    uint64_t base = some_base(random);
    for (uint32_t i = 0; i < count; i++) {
        if (i % (count / windows + 1) == count / windows) {
            base = random_once_in(random, 2) ? base + WINDOW + random_below(random, 40) : some_base(random);
        }
        values[i] = base + random_below(random, WINDOW);
    }
}

static uint64_t some_ioctl(struct random *random, uint64_t type)
{
    uint64_t direction = random_below(random, 4);
    uint64_t size = (uint64_t)4 * random_below(random, 20);
    return direction << 30 | size << 16 | type << 8 | random_below(random, 256);
}

static uint64_t some_of(struct random *random, enum random_family family, const uint64_t *values, uint32_t index)
{
    switch (family) {
    case RANDOM_PAIRS:
        return index % 2 == 1 ? values[index - 1] ^ some_bit(random, 32) : random_number(random);
    case RANDOM_HIGH:
        return random_once_in(random, 2) ? 0x80000000u + random_below(random, 64) : (uint64_t)0 - 1 - random_below(random, 64);
    case RANDOM_IOCTLS:
        return some_ioctl(random, index == 0 ? random_below(random, 256) : values[0] >> 8 & 0xff);
    case RANDOM_STRIDE:
        return index < 2 ? random_number(random) : values[index - 1] + ((uint64_t)1 << (values[1] & 31));
    case RANDOM_HALVES:
        return index == 0             ? random_next(random)
               : (values[0] & 1) != 0 ? (values[0] & UINT32_MAX) | (uint64_t)random_below(random, 4) << 32
                                      : values[0] ^ random_below(random, 64);
    default:
        return random_number(random);
    }
}

void random_fill(struct random *random, enum random_family family, uint64_t *values, uint32_t count)
{
    switch (family) {
    case RANDOM_CLOSED:
        fill_closed(random, values, count);
        return;
    case RANDOM_NEIGHBOURS:
        fill_ascending(random, values, count);
        return;
    case RANDOM_WINDOW:
        fill_windows(random, values, count, 1);
        return;
    case RANDOM_WINDOWS:
        fill_windows(random, values, count, 2 + random_below(random, 3));
        return;
    default:
        for (uint32_t i = 0; i < count; i++) {
            values[i] = some_of(random, family, values, i);
        }
        return;
    }
}

// --- beside a value ---------------------------------------------------------------------------------------------------

uint64_t random_near(struct random *random, uint64_t value)
{
    switch (random_below(random, 14)) {
    case 0:
        return value + 1;
    case 1:
        return value - 1;
    case 2:
        return (uint64_t)(int64_t)(int32_t)value;
    case 3:
        return value ^ random_next(random) << 32; // dirty upper half
    case 4:
        return value ^ some_bit(random, 64);
    case 5:
        return ~value;
    case 6:
        return (uint32_t)value;
    case 7:
        return value & random_next(random);
    case 8:
        return random_once_in(random, 2) ? value + WINDOW : value - WINDOW;
    case 9:
        return random_once_in(random, 2) ? value + ((uint64_t)1 << 32) : value - ((uint64_t)1 << 32);
    default:
        return value;
    }
}

uint64_t random_variant(uint64_t value, uint32_t which)
{
    switch (which) {
    case 0:
        return value;
    case 1:
        return value + 1;
    case 2:
        return value - 1;
    case 3:
        return (uint64_t)(int64_t)(int32_t)value;
    case 4:
        return (uint32_t)value;
    case 5:
        return value | (uint64_t)0xdead << 32;
    case 6:
        return value ^ (uint64_t)1 << 31;
    case 7:
        return value + ((uint64_t)1 << 32);
    case 8:
        return value - ((uint64_t)1 << 32);
    case 9:
        return ~value;
    default:
        return value << 32;
    }
}
