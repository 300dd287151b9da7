#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "tests/core/store/store_test_support.h"
#include "tests/support/example_runs.h"
#include "tests/support/fixtures.h"

namespace phiscope::test {
namespace {

void expect_refused_untouched(const std::filesystem::path& path, ErrorCode code, const std::string& sentence) {
  const std::string before = bytes_of(path);
  for (bool read_only : {false, true}) {
    const auto store = read_only ? Store::open_read_only(path) : Store::open(path);
    ASSERT_FALSE(store.has_value());
    EXPECT_EQ(store.error().code, code);
    EXPECT_EQ(store.error().message, path.string() + ": " + sentence);
  }
  EXPECT_EQ(bytes_of(path), before);
}

TEST(Refusal, ADatabaseOfANewerVersionIsLeftIdenticalToTheLastByte) {
  const TemporaryFolder folder;
  const auto path = folder / "newer.db";
  ASSERT_TRUE(open_store(path)->save(example_run({})).has_value());
  SQLite::Database(path.string(), SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 99");
  const int known = open_store(folder / "ours.db")->schema_version();
  expect_refused_untouched(path, ErrorCode::unsupported,
                           fmt::format("the database has schema version 99, this program knows versions up to {}; use a newer Phiscope or another place "
                                       "with --db", known));
}

TEST(Refusal, ANewerVersionThatIsOnlyInTheLogYetIsRefusedToo) {
  const TemporaryFolder folder;
  const auto path = folder / "newer.db";
  const int known = open_store(path)->schema_version();
  SQLite::Database writer(path.string(), SQLite::OPEN_READWRITE);
  writer.exec(fmt::format("PRAGMA user_version = {}", known + 1));  // stays in the log while this connection is open
  const std::string before = bytes_of(path);
  const auto store = Store::open(path);
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, ErrorCode::unsupported);
  EXPECT_EQ(bytes_of(path), before);
}

TEST(Refusal, AFileThatIsNoDatabaseIsLeftAsItIs) {
  const TemporaryFolder folder;
  const std::string sentence = "is not a SQLite database; it was left as it is, choose another place with --db";
  for (const std::string& content : {std::string("x"), std::string(5000, 'x'), std::string("SQLite format 3"), std::string(200, '\0')}) {
    const auto path = folder / "notes.txt";
    std::ofstream(path, std::ios::binary) << content;
    expect_refused_untouched(path, ErrorCode::invalid_file, sentence);
  }
}

TEST(Refusal, ADatabaseOfAnotherProgramIsLeftAsItIs) {
  const TemporaryFolder folder;
  const auto path = folder / "bookmarks.db";
  SQLite::Database(path.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec("CREATE TABLE run (id INTEGER); INSERT INTO run VALUES (7)");
  expect_refused_untouched(path, ErrorCode::invalid_file,
                           "is a SQLite database of another program; it was left as it is, choose another place with --db");
}

TEST(Refusal, AFolderAndAMissingFileAreNamed) {
  const TemporaryFolder folder;
  EXPECT_EQ(Store::open(folder.path()).error().code, ErrorCode::invalid_argument);
  const auto absent = folder / "absent.db";
  const auto store = Store::open_read_only(absent);
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error().code, ErrorCode::not_found);
  EXPECT_FALSE(std::filesystem::exists(absent));
}

TEST(Open, MakesTheFoldersAboveTheFileAndAcceptsAnEmptyFile) {
  const TemporaryFolder folder;
  EXPECT_NE(open_store(folder.path() / "new" / "folders" / "a.db"), nullptr);
  std::ofstream(folder / "empty.db");
  EXPECT_NE(open_store(folder / "empty.db"), nullptr);
}

TEST(ReadOnly, OpensForReadingAndRefusesToWrite) {
  const TemporaryFolder folder;
  const auto path = folder / "a.db";
  const phiscope::Run run = example_run({});
  ASSERT_TRUE(open_store(path)->save(run).has_value());
  const auto store = Store::open_read_only(path);
  ASSERT_TRUE(store.has_value()) << store.error().message;
  const auto back = (*store)->load("last");
  ASSERT_TRUE(back.has_value());
  expect_equal_runs(run, *back);
  const Status saved = (*store)->save(run);
  ASSERT_FALSE(saved.has_value());
  EXPECT_EQ(saved.error().code, ErrorCode::io);
}

/// What an unprivileged user meets: runs `body` as nobody when the tests run as root. The folder must be reachable for it.
std::string as_unprivileged(const std::function<std::string()>& body) {
  Child child([&](int descriptor) {
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) return 1;
    const std::string text = body();
    return ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1;
  });
  return child.read_all();
}

std::string message_of_open(const std::filesystem::path& path) {
  const auto store = Store::open(path);
  return store ? "opened" : std::string(error_code_name(store.error().code)) + " " + store.error().message;
}

TEST(Permissions, AReadOnlyFileAndAnUnwritableFolderGiveOneSentence) {
  using std::filesystem::perms;
  const TemporaryFolder folder;
  const auto path = folder / "a.db";
  const phiscope::Run run = example_run({});
  ASSERT_TRUE(open_store(path)->save(run).has_value());
  std::filesystem::permissions(path, perms::owner_read | perms::group_read | perms::others_read);
  std::filesystem::permissions(folder.path(), perms::owner_read | perms::owner_exec | perms::group_read | perms::group_exec | perms::others_read | perms::others_exec);
  EXPECT_EQ(as_unprivileged([&] { return message_of_open(path); }),
            "io " + path.string() + ": the database is read-only; make the file and its folder writable or choose another place with --db");
  EXPECT_EQ(as_unprivileged([&] { return message_of_open(folder / "new.db"); }),
            "io " + (folder / "new.db").string() +
                ": the database cannot be opened while opening it (Permission denied); make the file and its folder writable or choose another "
                "place with --db");
  EXPECT_EQ(as_unprivileged([&] { return message_of_open(folder.path() / "sub" / "new.db"); }),
            "io " + (folder / "sub").string() + ": the folder cannot be created (Permission denied); choose another place with --db");
  // A database in a folder that cannot take the log can still be read.
  EXPECT_EQ(as_unprivileged([&] {
              const auto store = Store::open_read_only(path);
              if (!store) return store.error().message;
              const auto back = (*store)->load("last");
              return back ? back->run_id : back.error().message;
            }),
            run.run_id);
  std::filesystem::permissions(folder.path(), perms::owner_all);
}

TEST(Permissions, AnUnreadableFileIsNamed) {
  const TemporaryFolder folder;
  const auto path = folder / "a.db";
  open_store(path);
  std::filesystem::permissions(path, std::filesystem::perms::none);
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  EXPECT_EQ(as_unprivileged([&] { return message_of_open(path); }),
            "io " + path.string() + ": the database cannot be read; check its permissions or choose another place with --db");
}

}  // namespace
}  // namespace phiscope::test
