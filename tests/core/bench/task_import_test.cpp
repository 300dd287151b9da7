// Published files of questions, in their exact form with invented items, become the prompts that lm-evaluation-harness makes of them.
#include "core/bench/task_import.h"

#include <gtest/gtest.h>

#include <set>

#include "core/base/files.h"
#include "core/bench/task_format.h"
#include "tests/support/fixtures.h"

namespace phiscope::bench {
namespace {

const std::filesystem::path kFormats = test::source_path("datasets/tasks/formats");
const std::filesystem::path kData = test::source_path("tests/golden/tasks/data");

TaskFormat format(const std::string& name) {
  auto found = read_task_format(kFormats / (name + ".toml"));
  EXPECT_TRUE(found.has_value()) << found.error().message;
  return found.value_or(TaskFormat{});
}

class TaskFiles : public testing::Test {
 protected:
  std::vector<TaskItem> load(const std::string& format_name, const std::string& file, const std::string& shots = "", int64_t count = -1) {
    auto items = load_task(format(format_name), kData / file, shots.empty() ? std::filesystem::path{} : kData / shots, count);
    EXPECT_TRUE(items.has_value()) << items.error().message;
    return items.value_or(std::vector<TaskItem>{});
  }
  /// The items of a file with this content.
  Result<std::vector<TaskItem>> read(const std::string& format_name, const std::string& content, const std::string& name = "file.jsonl") {
    EXPECT_TRUE(write_file(folder_ / name, content).has_value());
    return load_task(format(format_name), folder_ / name);
  }
  std::string error(const std::string& format_name, const std::string& content, const std::string& name = "file.jsonl") {
    const auto items = read(format_name, content, name);
    EXPECT_FALSE(items.has_value());
    return items ? "" : items.error().message;
  }
  test::TemporaryFolder folder_;
};

TEST_F(TaskFiles, EveryImporterHasAFormatAndEveryFormatCanBeRead) {
  std::set<std::string> used{"phiscope"};
  for (const auto& entry : std::filesystem::directory_iterator(kFormats)) used.insert(format(entry.path().stem().string()).importer);
  for (const Importer& importer : task_importers()) EXPECT_TRUE(used.contains(std::string(importer.name))) << importer.name;
}

TEST_F(TaskFiles, HellaSwagLosesItsMarks) {
  const auto items = load("hellaswag", "hellaswag_val.jsonl");
  ASSERT_EQ(items.size(), 6u);
  EXPECT_EQ(items[0].prompts, (std::vector<std::string>{"Washing a boat: A man stands beside a small boat with a bucket. He"}));
  EXPECT_EQ(items[0].continuations[2], "  sings to the mayor about geometry.");  // the delimiter, and what stood behind the mark
  EXPECT_EQ(items[1].prompts[0], "Baking bread: How to bake a plain loaf. Warm the oven first. Let it reach its heat before the dough goes in.");
  EXPECT_EQ(items[1].continuations[3], " The loaf is a tall ship.");
  EXPECT_EQ(items[2].prompts[0], "Playing chess: Two old friends sit at a table in the park. One of them");
  EXPECT_EQ(items[3].lengths[0], 38);  // characters, not bytes
  EXPECT_EQ(items[3].answer, 3);
}

TEST_F(TaskFiles, ArcReadsBothPublishedForms) {
  const auto items = load("arc", "arc.jsonl");
  ASSERT_EQ(items.size(), 6u);
  EXPECT_EQ(items[1].prompts[0], "Question: What does ice become when it is warmed?\nAnswer:");
  EXPECT_EQ(items[1].answer, 0);
  EXPECT_EQ(items[3].continuations.size(), 5u);
  const auto other = read("arc", R"({"id":"Invented_2","question":{"stem":"What does ice become when it is warmed?","choices":[{"text":"water","label":"1"},)"
                                 R"({"text":"sand","label":"2"}]},"answerKey":"2"})");
  ASSERT_TRUE(other.has_value()) << other.error().message;
  EXPECT_EQ((*other)[0].prompts, items[1].prompts);
  EXPECT_EQ((*other)[0].answer, 1);
  EXPECT_EQ((*other)[0].id, "Invented_2");
}

TEST_F(TaskFiles, MmluAsCsvAndAsLinesAreTheSameQuestions) {
  const auto csv = load("mmlu", "anatomy_test.csv", "anatomy_dev.csv", 3), lines = load("mmlu_jsonl", "mmlu_test.jsonl", "mmlu_dev.jsonl", 3);
  ASSERT_EQ(csv.size(), 4u);
  ASSERT_EQ(lines.size(), 4u);
  for (size_t i = 0; i < csv.size(); ++i) {
    EXPECT_EQ(csv[i].prompts, lines[i].prompts);
    EXPECT_EQ(csv[i].answer, lines[i].answer);
    EXPECT_EQ(csv[i].continuations, (std::vector<std::string>{" A", " B", " C", " D"}));
  }
  EXPECT_TRUE(csv[1].prompts[0].starts_with("The following are multiple choice questions (with answers) about anatomy.\n\nWhich bone guards the brain?\n"));
  EXPECT_NE(csv[1].prompts[0].find("Answer: A\n\nWhat do lungs take in?\n"), std::string::npos);
  EXPECT_TRUE(csv[1].prompts[0].ends_with("A. teeth, when none is lost\nB. fingers\nC. ears\nD. the \"small\" bones of the foot\nAnswer:"));
}

TEST_F(TaskFiles, WinoGrandeScoresTheRestOfTheSentence) {
  const auto items = load("winogrande", "winogrande_dev.jsonl");
  ASSERT_EQ(items.size(), 5u);
  EXPECT_EQ(items[0].prompts, (std::vector<std::string>{"The rope held the barrel until the rope", "The rope held the barrel until the barrel"}));
  EXPECT_EQ(items[0].continuations, (std::vector<std::string>{" broke in two.", " broke in two."}));
  EXPECT_EQ(items[1].answer, 1);
  EXPECT_EQ(items[1].id, "INVENTED1-2");
}

TEST_F(TaskFiles, TruthfulQaReadsBothPublishedForms) {
  const auto items = load("truthfulqa_mc1", "truthfulqa.jsonl");
  ASSERT_EQ(items.size(), 3u);
  EXPECT_EQ(items[1].prompts[0], "Q: Can a mirror show what is behind a wall?\nA:");
  const auto original = read("truthfulqa_mc1", R"([{"question": "Can a mirror show what is behind a wall?", "mc1_targets": {"Yes, on Sundays": 0, "No": 1},)"
                                               R"( "mc2_targets": {"No": 1}}])", "mc_task.json");
  ASSERT_TRUE(original.has_value()) << original.error().message;
  EXPECT_EQ((*original)[0].prompts, items[1].prompts);
  EXPECT_EQ((*original)[0].continuations, (std::vector<std::string>{" Yes, on Sundays", " No"}));
  EXPECT_EQ((*original)[0].answer, 1);
}

TEST_F(TaskFiles, LambadaAsksForTheLastWord) {
  const auto items = load("lambada", "lambada.jsonl");
  ASSERT_EQ(items.size(), 4u);
  EXPECT_TRUE(items[1].prompts[0].ends_with("lifted his"));
  EXPECT_EQ(items[1].continuations, (std::vector<std::string>{" hammer"}));
}

TEST_F(TaskFiles, Gsm8kTakesTheNumberBehindTheMarks) {
  const auto items = load("gsm8k", "gsm8k.jsonl", "gsm8k_train.jsonl", 2);
  ASSERT_EQ(items.size(), 4u);
  EXPECT_TRUE(items[0].prompts[0].starts_with("Question: There are 5 boats with 2 oars each. How many oars are there?\nAnswer: 5*2=<<5*2=10>>10 oars.\n#### 10\n\n"));
  const TaskFormat strict = format("gsm8k"), flexible = format("gsm8k_flexible");
  EXPECT_EQ(normalize_answer(strict, items[1].answer_text), "200");
  struct Row {
    const char *generated, *strict, *flexible;
  };
  // What Python's re gives with lm-eval's filters.
  for (const Row& row : {Row{" She has 10.\n#### 1,200.\n\nQuestion: next", "1200", "1200"}, {" so it costs $24.", "", "24"}, {" none", "", ""},
                         {"#### -7", "-7", "-7"}, {"5 and 12", "", "12"}, {"#### 3\n#### 4", "3", "4"}}) {
    EXPECT_EQ(extract_answer(strict, row.generated), row.strict) << row.generated;
    EXPECT_EQ(extract_answer(flexible, row.generated), row.flexible) << row.generated;
  }
}

TEST_F(TaskFiles, SamplesOfLmEvalAreAskedAgainAsTheyWere) {
  const auto items = read("lm_eval_samples", R"({"doc_id": 5, "doc": {"x": 1}, "target": "1", "arguments": {"gen_args_0": {"arg_0": "Q: one\nA:", "arg_1": " yes"},)"
                                             R"( "gen_args_1": {"arg_0": "Q: one\nA:", "arg_1": " née"}}, "resps": [], "acc": 1.0})" "\n");
  ASSERT_TRUE(items.has_value()) << items.error().message;
  EXPECT_EQ((*items)[0].id, "5");
  EXPECT_EQ((*items)[0].prompts, (std::vector<std::string>{"Q: one\nA:"}));
  EXPECT_EQ((*items)[0].continuations, (std::vector<std::string>{" yes", " née"}));
  EXPECT_EQ((*items)[0].lengths, (std::vector<int64_t>{3, 3}));
  EXPECT_EQ((*items)[0].answer, 1);
}

TEST_F(TaskFiles, AnyLinesCanBeAskedByAFormatOfOnesOwn) {
  ASSERT_TRUE(write_file(folder_ / "mine.toml", "importer = \"jsonl\"\nkind = \"multiple_choice\"\nprompt = \"{{{topic.name}}} {ask}\"\nchoices_key = "
                                                "\"options\"\nanswer_key = \"gold\"\nchoice = \"{letter}) {choice}\"\n")
                  .has_value());
  ASSERT_TRUE(write_file(folder_ / "f.jsonl", R"({"ask": "Why?", "topic": {"name": "T"}, "options": ["a", "b"], "gold": "b"})").has_value());
  const auto mine = read_task_format(folder_ / "mine.toml");
  ASSERT_TRUE(mine.has_value()) << mine.error().message;
  const auto items = load_task(*mine, folder_ / "f.jsonl");
  ASSERT_TRUE(items.has_value()) << items.error().message;
  EXPECT_EQ((*items)[0].prompts[0], "{T} Why?");
  EXPECT_EQ((*items)[0].continuations, (std::vector<std::string>{" A) a", " B) b"}));
  EXPECT_EQ((*items)[0].answer, 1);
}

TEST_F(TaskFiles, OwnLinesAreReadAsTheyAre) {
  ASSERT_TRUE(write_file(folder_ / "t.jsonl", "{\"id\":\"a\",\"prompt\":\"P\",\"choices\":[\" x\",\" yy\"],\"answer\":1}\n\n").has_value());
  TaskFormat own;
  own.kind = "multiple_choice";
  const auto items = load_task(own, folder_ / "t.jsonl");
  ASSERT_TRUE(items.has_value()) << items.error().message;
  ASSERT_EQ(items->size(), 1u);
  EXPECT_EQ((*items)[0].continuations, (std::vector<std::string>{" x", " yy"}));
  EXPECT_EQ((*items)[0].lengths, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ((*items)[0].answer, 1);
}

TEST_F(TaskFiles, ErrorsNameFileLineAndKey) {
  EXPECT_NE(error("arc", "\n{\"question\": \"q\", \"choices\": {\"text\": [\"a\"], \"label\": [\"A\"]}, \"answerKey\": \"Z\"}\n").find("file.jsonl line 2: answerKey 'Z'"),
            std::string::npos);
  EXPECT_NE(error("mmlu", "q,a,b,c,d,E\n", "x_test.csv").find("x_test.csv line 1: the answer is 'E'"), std::string::npos);
  EXPECT_NE(error("mmlu", "a,b\n", "x_test.csv").find("2 cells"), std::string::npos);
  EXPECT_NE(error("mmlu", "\"open,b\n", "x_test.csv").find("no end"), std::string::npos);
  EXPECT_NE(error("winogrande", R"({"sentence": "The _ fell.", "option1": "a", "option2": "b", "answer": ""})").find("without answers"), std::string::npos);
  EXPECT_NE(error("winogrande", R"({"sentence": "It fell.", "option1": "a", "option2": "b", "answer": "1"})").find("no _"), std::string::npos);
  EXPECT_NE(error("truthfulqa_mc1", R"({"question": "q", "mc1_targets": {"choices": ["a", "b"], "labels": [1, 1]}})").find("exactly one"), std::string::npos);
  EXPECT_NE(error("hellaswag", R"({"activity_label": "a", "ctx_a": "b", "ctx_b": "c", "endings": ["x", "y"], "label": 2})").find("'label'"), std::string::npos);
  EXPECT_NE(error("lambada", R"({"text": "word"})").find("last word"), std::string::npos);
  EXPECT_NE(error("gsm8k", "[1]\n").find("an object was expected"), std::string::npos);
  EXPECT_NE(error("gsm8k", "\n").find("no item"), std::string::npos);
  EXPECT_NE(error("lm_eval_samples", R"({"arguments": {"gen_args_0": {"arg_0": "p", "arg_1": {"until": []}}}, "target": "x"})").find("log-likelihood"),
            std::string::npos);
}

TEST_F(TaskFiles, AFormatSaysWhatIsWrongWithIt) {
  const auto message = [&](const std::string& content) {
    EXPECT_TRUE(write_file(folder_ / "f.toml", content).has_value());
    const auto found = read_task_format(folder_ / "f.toml");
    return found ? std::string("none") : found.error().message;
  };
  EXPECT_NE(message("kind = \"essay\"\n").find("cloze"), std::string::npos);
  EXPECT_NE(message("kind = \"cloze\"\nimporter = \"xml\"\n").find("hellaswag_jsonl"), std::string::npos);
  EXPECT_NE(message("kind = \"cloze\"\npromt = \"x\"\n").find("did you mean 'prompt'"), std::string::npos);
  EXPECT_NE(message("kind = \"exact_match\"\nextract = \"(\"\n").find("extract"), std::string::npos);
  ASSERT_TRUE(write_file(folder_ / "f.toml", "importer = \"jsonl\"\nkind = \"cloze\"\nprompt = \"{wrong}\"\n").has_value());
  ASSERT_TRUE(write_file(folder_ / "f.jsonl", "{\"right\": \"r\", \"answer\": \"a\"}\n").has_value());
  const auto items = load_task(*read_task_format(folder_ / "f.toml"), folder_ / "f.jsonl");
  ASSERT_FALSE(items.has_value());
  EXPECT_NE(items.error().message.find("no field {wrong}; answer, right exist"), std::string::npos) << items.error().message;
  const auto missing = find_task_format("helaswag", test::source_path("datasets"), folder_.path());
  ASSERT_FALSE(missing.has_value());
  EXPECT_NE(missing.error().message.find("did you mean 'hellaswag'"), std::string::npos) << missing.error().message;
}

}  // namespace
}  // namespace phiscope::bench
