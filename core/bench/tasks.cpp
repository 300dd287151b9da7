#include "core/bench/tasks.h"

#include <algorithm>

#include "core/backend/score.h"
#include "core/base/hash.h"
#include "core/base/text.h"

namespace phiscope::bench {
namespace {

constexpr std::string_view kSpace = " \t\r\n\v\f";

size_t largest(const std::vector<double>& values) {
  return static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

std::vector<int32_t> prompt_ids(const Tokenizer& tokenizer, std::string_view prompt) {
  std::vector<int32_t> ids = tokenizer.encode(prompt, Specials::as_text);
  if (tokenizer.add_bos() && tokenizer.bos()) ids.insert(ids.begin(), *tokenizer.bos());
  return ids;
}

void keep_last(std::vector<int32_t>& ids, int64_t count) {
  if (static_cast<int64_t>(ids.size()) > count) ids.erase(ids.begin(), ids.end() - count);
}

Result<ItemScore> score_likelihoods(const TaskModel& model, const TaskItem& item, bool is_cloze) {
  ItemScore result;
  std::vector<int32_t> loaded;
  bool is_greedy = true;
  for (size_t i = 0; i < item.continuations.size(); ++i) {
    const std::string& prompt = item.prompts[item.prompts.size() > 1 ? i : 0];
    PHISCOPE_ASSIGN(EncodedPair pair, encode_pair(model.tokenizer, prompt, item.continuations[i], model.context));
    PHISCOPE_ASSIGN(const ContinuationScore score, score_continuation(model.session, pair.context, i > 0 && pair.context == loaded, pair.continuation,
                                                                      model.hidden, model.vocab));
    loaded = std::move(pair.context);
    result.log_likelihoods.push_back(score.log_likelihood);
    is_greedy = is_greedy && score.is_greedy;
  }
  if (is_cloze) {
    result.correct = result.correct_normalized = is_greedy;
    return result;
  }
  std::vector<double> normalized;
  for (size_t i = 0; i < item.continuations.size(); ++i)
    normalized.push_back(result.log_likelihoods[i] / static_cast<double>(item.lengths[i]));
  result.choice = static_cast<int64_t>(largest(result.log_likelihoods));
  result.choice_normalized = static_cast<int64_t>(largest(normalized));
  result.correct = result.choice == item.answer;
  result.correct_normalized = result.choice_normalized == item.answer;
  return result;
}

Result<ItemScore> score_exact_match(const TaskModel& model, const TaskItem& item, const TaskFormat& format) {
  std::vector<int32_t> context = prompt_ids(model.tokenizer, item.prompts[0]);
  keep_last(context, std::max<int64_t>(1, model.context - format.max_new_tokens));
  PHISCOPE_TRY(model.session.truncate(0));
  PHISCOPE_TRY(model.session.append(context));
  const std::vector<int32_t> stops = model.tokenizer.stop_ids();
  std::string bytes;
  const auto on_token = [&](int32_t id, int64_t) {
    if (std::find(stops.begin(), stops.end(), id) != stops.end()) return false;
    bytes += model.tokenizer.token_bytes(id);
    bool stopped = false;
    before_stop(format, bytes, &stopped);
    return !stopped;
  };
  const int64_t room = std::clamp<int64_t>(model.context - model.session.length(), 0, format.max_new_tokens);
  PHISCOPE_TRY(model.session.decode(room, greedy_sampler, on_token));
  ItemScore result;
  result.text = extract_answer(format, bytes);
  const std::string wanted = normalize_answer(format, item.answer_text);
  result.correct = result.correct_normalized = result.text == wanted;
  return result;
}

/// A number that tells whether two runs asked the same: 48 bits of a hash over everything that the model sees.
double prompt_hash(const TaskItem& item) {
  Hasher hasher;
  for (const std::string& text : item.prompts) hasher.update(text), hasher.update("\n");
  for (const std::string& text : item.continuations) hasher.update(text), hasher.update("\n");
  return static_cast<double>(std::stoull(hasher.hex().substr(0, 12), nullptr, 16));
}

void add_row(Series& series, std::initializer_list<double> values) {
  series.rows.resize(series.columns.size());
  size_t column = 0;
  for (const double value : values) series.rows[column++].push_back(value);
}

}  // namespace

Result<TaskFormat> format_of(const ItemsBlock& block) {
  if (!block.format.empty()) return read_task_format(block.format);
  if (!is_task_kind(block.kind)) return fail(ErrorCode::invalid_argument, "task kind '{}' is unknown; {} exist", block.kind, kTaskKinds);
  TaskFormat format;
  format.name = block.task.stem().string();
  format.kind = block.kind;
  format.max_new_tokens = block.max_new_tokens;
  format.skip_leading_space = true;  // some models begin their answer with a newline
  if (!block.stop.empty()) format.stop = {block.stop};
  return format;
}

Result<EncodedPair> encode_pair(const Tokenizer& tokenizer, std::string_view prompt, std::string_view continuation, int64_t positions) {
  const size_t end = prompt.find_last_not_of(kSpace) + 1;  // 0 when there is nothing else
  const std::string moved = std::string(prompt.substr(end)) + std::string(continuation);
  prompt = prompt.substr(0, end);
  EncodedPair pair;
  const std::vector<int32_t> before = tokenizer.encode(prompt, Specials::as_text);
  const std::vector<int32_t> whole = tokenizer.encode(std::string(prompt) + moved, Specials::as_text);
  if (whole.size() > before.size()) pair.continuation.assign(whole.begin() + static_cast<std::ptrdiff_t>(before.size()), whole.end());
  else pair.continuation = tokenizer.encode(moved, Specials::as_text);
  pair.context = prompt_ids(tokenizer, prompt);
  if (pair.context.empty()) {
    const auto first = tokenizer.bos() ? tokenizer.bos() : tokenizer.eos();
    if (!first) return fail(ErrorCode::invalid_argument, "a prompt without text needs a tokenizer with a first or last token; this one has none");
    pair.context = {*first};
  }
  const auto room = positions + 1 - static_cast<int64_t>(pair.continuation.size());
  if (room < 1)
    return fail(ErrorCode::invalid_argument, "an answer of {} tokens does not fit into a context of {}", pair.continuation.size(), positions);
  keep_last(pair.context, room);
  return pair;
}

Result<ItemScore> score_item(const TaskModel& model, const TaskItem& item, const TaskFormat& format) {
  if (format.kind == "exact_match") return score_exact_match(model, item, format);
  return score_likelihoods(model, item, format.kind == "cloze");
}

Result<ItemsReply> score_task(const TaskModel& model, const ItemsBlock& block, const std::function<bool(double fraction)>& keep_going) {
  PHISCOPE_ASSIGN(const TaskFormat format, format_of(block));
  PHISCOPE_ASSIGN(std::vector<TaskItem> items, load_task(format, block.task, block.shots_file, block.shots));
  if (block.max_items > 0 && static_cast<int64_t>(items.size()) > block.max_items) items.resize(static_cast<size_t>(block.max_items));
  ItemsReply reply;
  reply.items = {"task_items", {}, 0, 0,
                 {"item", "correct", "correct_normalized", "choice", "choice_normalized", "answer", "log_likelihood", "prompt_hash"}, {}};
  reply.choices = {"task_choices", {}, 0, 0, {"item", "choice", "log_likelihood", "characters"}, {}};
  for (size_t i = 0; i < items.size(); ++i) {
    if (!keep_going(static_cast<double>(i) / static_cast<double>(items.size())))
      return fail(ErrorCode::cancelled, "stopped after {} of {} items", i, items.size());
    const TaskItem& item = items[i];
    auto score = score_item(model, item, format);
    if (!score) return fail(score.error().with_context(fmt::format("{} item '{}'", block.task.filename().string(), item.id)));
    const bool has_choices = score->choice >= 0;
    const std::vector<double>& sums = score->log_likelihoods;
    const double right = has_choices ? sums[static_cast<size_t>(item.answer)] : sums.empty() ? 0 : sums[0];
    add_row(reply.items, {static_cast<double>(i), score->correct ? 1.0 : 0.0, score->correct_normalized ? 1.0 : 0.0, static_cast<double>(score->choice),
                          static_cast<double>(score->choice_normalized), has_choices ? static_cast<double>(item.answer) : -1.0, right, prompt_hash(item)});
    for (size_t c = 0; c < sums.size(); ++c)
      add_row(reply.choices, {static_cast<double>(i), static_cast<double>(c), sums[c], has_choices ? static_cast<double>(item.lengths[c]) : 0.0});
  }
  return reply;
}

}  // namespace phiscope::bench
