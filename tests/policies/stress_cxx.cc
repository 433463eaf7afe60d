// stress_cxx: exceptions, thrown through frames with destructors and caught.
//
// One object serves every libc: it includes nothing, so that glibc's C++ compiler can make it for musl programs as well.
extern "C" int stress_throw(int count, int depth);

namespace
{

struct trouble {
    int value;
};

struct witness {
    int *destroyed;
    ~witness()
    {
        ++*destroyed;
    }
};

__attribute__((noinline)) void sink_into(int depth, int *destroyed)
{
    witness here{destroyed};
    if (depth == 0) {
        throw trouble{1};
    }
    sink_into(depth - 1, destroyed);
}

} // namespace

int stress_throw(int count, int depth)
{
    int caught = 0;
    for (int i = 0; i < count; i++) {
        int destroyed = 0;
        try {
            sink_into(depth, &destroyed);
        } catch (const trouble &thrown) {
            caught += destroyed == depth + 1 ? thrown.value : 0;
        }
    }
    return caught;
}
