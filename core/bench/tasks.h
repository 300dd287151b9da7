#pragma once
// Accuracy tasks: choices scored by likelihood, cloze by greedy likelihood, exact matches by greedy generation. Tokenization, truncation and the two
// accuracies are those of lm-evaluation-harness (acc, acc_norm, exact_match), item by item.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/backend/backend.h"
#include "core/base/result.h"
#include "core/bench/engine.h"
#include "core/bench/task_format.h"
#include "core/tokenizer/tokenizer.h"

namespace phiscope::bench {

/// The block's format, or Phiscope's own from its kind, limit and stop text. Errors: those of read_task_format; invalid_argument for unknown kinds.
Result<TaskFormat> format_of(const ItemsBlock& block);

struct TaskModel {
  Session& session;
  const Tokenizer& tokenizer;
  int64_t hidden = 0, vocab = 0;
  int64_t context = 0;  // positions that the session holds
};

/// What a continuation is scored with: white space at the prompt's end belongs to the continuation, the ids of both together are cut where those of
/// the prompt end (lm-eval's _encode_pair); BOS first where the tokenizer adds one. Too long a prompt loses ids at its beginning.
struct EncodedPair {
  std::vector<int32_t> context, continuation;
};
/// `positions`: what the session holds; context + continuation - 1 ids fit. Error invalid_argument when the continuation alone does not fit.
Result<EncodedPair> encode_pair(const Tokenizer& tokenizer, std::string_view prompt, std::string_view continuation, int64_t positions);

struct ItemScore {
  bool correct = false;             // largest sum of log-likelihoods; all greedy (cloze); equal text
  bool correct_normalized = false;  // largest sum divided by the choice's characters; as `correct` without choices
  int64_t choice = -1, choice_normalized = -1;
  std::vector<double> log_likelihoods;  // of each choice, or of the cloze's target
  std::string text;                 // what was generated, after extraction (exact match)
};
Result<ItemScore> score_item(const TaskModel& model, const TaskItem& item, const TaskFormat& format);

/// All items of the block's file; `keep_going` is asked before each item with the fraction done, false cancels.
Result<ItemsReply> score_task(const TaskModel& model, const ItemsBlock& block, const std::function<bool(double fraction)>& keep_going);

}  // namespace phiscope::bench
