#include "core/base/files.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>

#include "core/base/platform/system_error.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

namespace fs = std::filesystem;

size_t entries(const fs::path& folder) { return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator())); }

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST(ReadFile, ReadsWhatWasWritten) {
  const test::TemporaryFolder folder;
  const std::string content("a\0b\n", 4);
  ASSERT_TRUE(write_file(folder / "f", content));
  EXPECT_EQ(*read_file(folder / "f"), content);
  ASSERT_TRUE(write_file(folder / "f", ""));
  EXPECT_EQ(*read_file(folder / "f"), "");
}

TEST(ReadFile, ReadsFilesWhoseSizeIsUnknown) { EXPECT_NE(read_file("/proc/self/status")->find("VmRSS"), std::string::npos); }

TEST(ReadFile, RefusesWhatIsLargerThanTheLimit) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "f", "12345"));
  EXPECT_TRUE(read_file(folder / "f", 5));
  const auto refused = read_file(folder / "f", 4);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_file);
  EXPECT_EQ(refused.error().message, (folder / "f").string() + ": has 5 B, at most 4 B were expected");
  EXPECT_EQ(read_file("/proc/self/status", 10).error().code, ErrorCode::invalid_file);
}

TEST(ReadFile, TellsMissingFilesFromFolders) {
  const test::TemporaryFolder folder;
  const auto missing = read_file(folder / "none");
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_EQ(missing.error().message, (folder / "none").string() + ": cannot open: No such file or directory");
  EXPECT_EQ(read_file(folder.path()).error().message, folder.path().string() + ": is a folder, a file was expected");
}

TEST(MappedFile, ShowsTheBytesAndOutlivesTheName) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "f", "mapped"));
  const auto file = MappedFile::open(folder / "f");
  ASSERT_TRUE(file);
  fs::remove(folder / "f");
  EXPECT_EQ(text_of(**file), "mapped");
}

TEST(MappedFile, AcceptsEmptyFiles) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "f", ""));
  const auto file = MappedFile::open(folder / "f");
  ASSERT_TRUE(file);
  EXPECT_TRUE((*file)->bytes().empty());
  (*file)->will_need(0, 10);
  (*file)->drop(0, 10);
}

TEST(MappedFile, RefusesFoldersDevicesAndMissingFiles) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(MappedFile::open(folder.path()).error().code, ErrorCode::io);
  EXPECT_EQ(MappedFile::open("/dev/null").error().code, ErrorCode::io);
  EXPECT_EQ(MappedFile::open(folder / "none").error().code, ErrorCode::not_found);
}

TEST(MappedFile, ReadsTheSameBytesAfterADrop) {
  const test::TemporaryFolder folder;
  const std::string content(50'000, 'q');
  ASSERT_TRUE(write_file(folder / "f", content));
  const auto file = *MappedFile::open(folder / "f");
  for (const auto& [offset, size] : {std::pair<size_t, size_t>{0, 50'000}, {5000, 20'000}, {49'999, 100}, {60'000, 1}, {10, SIZE_MAX - 5}}) {
    file->will_need(offset, size);
    file->drop(offset, size);
  }
  EXPECT_EQ(text_of(*file), content);
}

TEST(AtomicFile, ShowsNothingBeforeCommit) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "f", "old"));
  const auto file = *AtomicFile::create(folder / "f");
  ASSERT_TRUE(file->write("new "));
  ASSERT_TRUE(file->write("content"));
  EXPECT_EQ(*read_file(folder / "f"), "old");
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(*read_file(folder / "f"), "new content");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(AtomicFile, LeavesNothingWithoutCommit) {
  const test::TemporaryFolder folder;
  {
    const auto file = *AtomicFile::create(folder / "f");
    ASSERT_TRUE(file->write("half"));
    EXPECT_EQ(file->temporary_path().parent_path(), folder.path());
  }
  EXPECT_EQ(entries(folder.path()), 0u);
}

TEST(AtomicFile, WritesThroughASymbolicLink) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "real", "old"));
  fs::create_symlink("real", folder / "link");
  ASSERT_TRUE(write_file(folder / "link", "new"));
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(*read_file(folder / "real"), "new");
}

TEST(AtomicFile, IsReadableByOthersAsTheUmaskAllows) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "f", "x"));
  std::ofstream(folder / "plain") << "x";
  EXPECT_EQ(fs::status(folder / "f").permissions(), fs::status(folder / "plain").permissions());
}

TEST(AtomicFile, RefusesFoldersAndMissingParents) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(AtomicFile::create(folder.path()).error().message, folder.path().string() + ": is a folder, a file name was expected");
  EXPECT_EQ(write_file(folder / "none/f", "x").error().code, ErrorCode::not_found);
}

TEST(SystemError, NamesAFullDiskAndWhatToFree) {
  const test::TemporaryFolder folder;
  const Error error = platform::system_error(folder / "f", "write", ENOSPC, 4100);
  EXPECT_EQ(error.code, ErrorCode::io);
  EXPECT_EQ(error.message.find((folder / "f").string() + ": cannot write: No space left on device ("), 0u) << error.message;
  EXPECT_NE(error.message.find(" left in " + folder.path().string() + "); free at least 4.10 kB there and repeat"), std::string::npos)
      << error.message;
}

TEST(MakeDirectoryBeside, FillsAndMovesIntoPlace) {
  const test::TemporaryFolder folder;
  for (const std::string content : {"first", "second"}) {
    const auto filled = make_directory_beside(folder / "target/");
    ASSERT_TRUE(filled);
    EXPECT_EQ(filled->parent_path(), folder.path());
    ASSERT_TRUE(write_file(*filled / "f", content));
    ASSERT_TRUE(replace_directory(*filled, folder / "target"));
    EXPECT_EQ(*read_file(folder / "target/f"), content);
    EXPECT_EQ(entries(folder.path()), 1u);
  }
}

TEST(ReplaceDirectory, ReplacesAFileToo) {
  const test::TemporaryFolder folder;
  ASSERT_TRUE(write_file(folder / "target", "a file"));
  const auto filled = *make_directory_beside(folder / "target");
  ASSERT_TRUE(replace_directory(filled, folder / "target"));
  EXPECT_TRUE(fs::is_directory(folder / "target"));
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(ReplaceDirectory, KeepsTheTargetWhenTheNewOneIsMissing) {
  const test::TemporaryFolder folder;
  fs::create_directory(folder / "target");
  ASSERT_TRUE(write_file(folder / "target/f", "kept"));
  EXPECT_FALSE(replace_directory(folder / "none", folder / "target"));
  EXPECT_EQ(*read_file(folder / "target/f"), "kept");
}

}  // namespace
}  // namespace phiscope
