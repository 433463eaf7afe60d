// The shim's driver over googletest, and its only C++: gives each registered C test to googletest, and its failures back.
#include <gtest/gtest.h>

#include "tests/shim/runner.h"

namespace
{

class CTest : public testing::Test
{
  public:
    explicit CTest(const test_case *test) : test_(test)
    {
    }

    void TestBody() override
    {
        const char *skipped = test_runner_run(test_);
        if (skipped)
            GTEST_SKIP() << skipped;
    }

  private:
    const test_case *test_;
};

} // namespace

void test_driver_failure(const char *file, int line, const char *text)
{
    ADD_FAILURE_AT(file, line) << text;
}

int main(int argc, char **argv)
{
    testing::InitGoogleTest(&argc, argv);
    if (!test_runner_start())
        return 2;
    for (const test_case *test = test_runner_first(); test; test = test->next) {
        testing::RegisterTest(test->room, test->name, nullptr, nullptr, test->file, test->line,
                              [test]() -> testing::Test * { return new CTest(test); });
    }
    return RUN_ALL_TESTS();
}
