#include "tests/bpf_dsl/random.h"

#include <stdlib.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { SHARE = 5 };
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
enum { SHARE = 5 };
#else
enum { SHARE = 1 };
#endif
#else
enum { SHARE = 1 };
#endif

struct random random_of_seed(uint64_t seed)
{
    struct random random = {seed * 0x9e3779b97f4a7c15u + 1};
    random.state = random.state == 0 ? 1 : random.state;
    random_next(&random);
    return random;
}

uint64_t random_first_seed(void)
{
    const char *text = getenv("BRIG_SEED");
    return text != NULL ? strtoull(text, NULL, 10) : 1;
}

uint32_t random_policies(uint32_t count)
{
    return count / SHARE;
}

uint64_t random_next(struct random *random)
{
    random->state ^= random->state >> 12;
    random->state ^= random->state << 25;
    random->state ^= random->state >> 27;
    return random->state * 0x2545f4914f6cdd1du;
}

uint32_t random_below(struct random *random, uint32_t limit)
{
    return (uint32_t)((random_next(random) >> 32) * limit >> 32);
}

bool random_once_in(struct random *random, uint32_t times)
{
    return random_below(random, times) == 0;
}
