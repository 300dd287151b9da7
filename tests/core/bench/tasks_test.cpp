#include "core/bench/tasks.h"

#include <gtest/gtest.h>

#include "core/base/files.h"
#include "tests/support/fixtures.h"

namespace phiscope::bench {
namespace {

class TaskFile : public testing::Test {
 protected:
  Result<std::vector<TaskItem>> read(const std::string& content, const std::string& kind) {
    EXPECT_TRUE(write_file(folder_ / "t.jsonl", content).has_value());
    return read_task_file(folder_ / "t.jsonl", kind);
  }
  test::TemporaryFolder folder_;
};

TEST_F(TaskFile, IsReadLineByLine) {
  const auto items = read("{\"id\":\"a\",\"prompt\":\"P\",\"choices\":[\" x\",\" yy\"],\"answer\":1}\n\n", "multiple_choice");
  ASSERT_TRUE(items.has_value()) << items.error().message;
  ASSERT_EQ(items->size(), 1u);
  EXPECT_EQ((*items)[0].choices[1], " yy");
  EXPECT_EQ((*items)[0].answer, 1);
}

TEST_F(TaskFile, WithAnAnswerOutsideItsChoicesIsRefusedNamingTheLine) {
  const auto items = read("{\"id\":\"a\",\"prompt\":\"P\",\"choices\":[\"x\",\"y\"],\"answer\":2}\n", "multiple_choice");
  ASSERT_FALSE(items.has_value());
  EXPECT_NE(items.error().message.find("t.jsonl line 1"), std::string::npos) << items.error().message;
}

TEST_F(TaskFile, OfAnUnknownKindIsRefused) {
  const auto items = read("{}\n", "essay");
  ASSERT_FALSE(items.has_value());
  EXPECT_NE(items.error().message.find("'essay'"), std::string::npos);
}

TEST(Continuation, TogetherWithItsPromptIsTheWholeText) {
  PHISCOPE_FIXTURE(folder, "models/phi-3-mini-tiny");
  const auto tokenizer = Tokenizer::load(folder);
  ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
  for (const std::string continuation : {" door", "s", " the house of"}) {
    std::vector<int32_t> ids = (*tokenizer)->encode("The window", Specials::as_text);
    const std::vector<int32_t> rest = continuation_ids(**tokenizer, "The window", continuation);
    EXPECT_FALSE(rest.empty());
    ids.insert(ids.end(), rest.begin(), rest.end());
    EXPECT_EQ((*tokenizer)->decode(ids), "The window" + continuation);
  }
}

}  // namespace
}  // namespace phiscope::bench
