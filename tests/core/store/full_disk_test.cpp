// A limit on the size of files stands in for a full disk: the same call fails, with EFBIG instead of ENOSPC.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "tests/core/store/store_test_support.h"
#include "tests/support/example_runs.h"
#include "tests/support/fixtures.h"

namespace phiscope::test {
namespace {

phiscope::Run large_run() {
  phiscope::Run run = example_run({.run_id = test_run_id(2)});
  for (int i = 0; i < 20000; ++i) run.samples.push_back({"decode_tokens_per_s@64", i, 0, 1.0 / (i + 3)});
  return run;
}

// The child saves under a limit and sends what went wrong.
std::string save_with_limit(const std::filesystem::path& path, rlim_t limit_bytes) {
  Child child([&](int descriptor) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{limit_bytes, limit_bytes};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
    std::string text = "saved";
    if (auto store = Store::open(path); !store) {
      text = std::string(error_code_name(store.error().code)) + " " + store.error().message;
    } else if (const Status status = (*store)->save(large_run()); !status) {
      text = std::string(error_code_name(status.error().code)) + " " + status.error().message;
      if ((*store)->list({}).value_or(std::vector<phiscope::Run>{}).size() != 1) text += " and the runs before are gone";
    }
    return ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1;
  });
  return child.read_all();
}

TEST(FullDisk, GivesOneSentenceAndKeepsWhatWasSavedBefore) {
  const TemporaryFolder folder;
  const auto path = folder / "a.db";
  const phiscope::Run before = example_run({.run_id = test_run_id(1)});
  ASSERT_TRUE(open_store(path)->save(before).has_value());
  const auto limit = std::filesystem::file_size(path) + 65536;
  EXPECT_EQ(save_with_limit(path, limit), "io " + path.string() +
                                              ": reading or writing failed while saving a run (disk I/O error); free some space or choose another "
                                              "place with --db");
  const auto store = open_store(path);
  const auto back = store->load("last");
  ASSERT_TRUE(back.has_value()) << back.error().message;
  expect_equal_runs(before, *back);
  EXPECT_EQ(store->list({})->size(), 1U);
  EXPECT_TRUE(store->save(large_run()).has_value());
}

TEST(FullDisk, WhileTheDatabaseIsMadeLeavesNothingThatCannotBeUsedLater) {
  const TemporaryFolder folder;
  const auto path = folder / "a.db";
  const std::string text = save_with_limit(path, 8192);
  EXPECT_EQ(text.substr(0, 3), "io ") << text;
  EXPECT_NE(text.find("free some space"), std::string::npos) << text;
  EXPECT_NE(open_store(path), nullptr);
}

}  // namespace
}  // namespace phiscope::test
