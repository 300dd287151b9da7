#pragma once
// Accuracy tasks: questions with choices (scored by likelihood) or with one right answer (generated greedily).

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/backend/backend.h"
#include "core/base/result.h"
#include "core/bench/engine.h"
#include "core/tokenizer/tokenizer.h"

namespace phiscope::bench {

struct TaskItem {
  std::string id;
  std::string prompt;
  std::vector<std::string> choices;  // multiple choice: continuations of the prompt, at least two
  int64_t answer = 0;                // index in `choices`
  std::string answer_text;           // exact match
};

/// JSON lines: {"id", "prompt", "choices": [...], "answer": index} or {"id", "prompt", "answer": "text"}. `kind` as in ItemsBlock.
/// Errors: invalid_file naming file, line and key.
Result<std::vector<TaskItem>> read_task_file(const std::filesystem::path& path, std::string_view kind);

/// The prompt's ids, BOS first where the tokenizer adds one; special tokens as plain text.
std::vector<int32_t> prompt_ids(const Tokenizer& tokenizer, std::string_view prompt);

/// What `continuation` adds to the ids of `prompt`: the ids of both together without those of the prompt; encoded alone where the two merge.
std::vector<int32_t> continuation_ids(const Tokenizer& tokenizer, std::string_view prompt, std::string_view continuation);

struct TaskModel {
  Session& session;
  const Tokenizer& tokenizer;
  int64_t hidden = 0, vocab = 0;
  int64_t context = 0;  // positions that the session holds
};

struct ItemScore {
  bool correct = false;             // largest sum of log-likelihoods, or equal text
  bool correct_normalized = false;  // largest sum divided by the choice's UTF-8 bytes; as `correct` for exact match
  int64_t choice = -1;
  double log_likelihood = 0;        // of the right answer (multiple choice)
  std::string text;                 // what was generated (exact match)
};
Result<ItemScore> score_choices(const TaskModel& model, const TaskItem& item);
Result<ItemScore> score_exact_match(const TaskModel& model, const TaskItem& item, const ItemsBlock& block);

/// All items of the block's file; `keep_going` is asked before each item with the fraction done, false cancels.
Result<Series> score_task(const TaskModel& model, const ItemsBlock& block, const std::function<bool(double fraction)>& keep_going);

}  // namespace phiscope::bench
