#include "core/bench/tasks.h"

#include <algorithm>

#include "core/backend/score.h"
#include "core/base/files.h"
#include "core/base/json.h"
#include "core/base/text.h"

namespace phiscope::bench {
namespace {

Result<TaskItem> parse_item(const Json& json, std::string_view kind, const std::string& where) {
  TaskItem item;
  PHISCOPE_ASSIGN(item.id, json_string(json, "id", where));
  PHISCOPE_ASSIGN(item.prompt, json_string(json, "prompt", where));
  if (kind == "exact_match") {
    PHISCOPE_ASSIGN(item.answer_text, json_string(json, "answer", where));
    return item;
  }
  const auto choices = json.find("choices");
  if (choices == json.end() || !choices->is_array() || choices->size() < 2)
    return fail(ErrorCode::invalid_file, "{}: key 'choices' must be a list of at least two texts", where);
  for (const Json& choice : *choices) {
    if (!choice.is_string() || choice.get_ref<const std::string&>().empty())
      return fail(ErrorCode::invalid_file, "{}: key 'choices' holds something that is not a text or is empty", where);
    item.choices.push_back(choice.get<std::string>());
  }
  PHISCOPE_ASSIGN(item.answer, json_int(json, "answer", where, 0, static_cast<int64_t>(item.choices.size()) - 1));
  return item;
}

/// The generated answer: after leading white space (some models begin with a newline), before the stop text.
struct Answer {
  std::string_view text;
  bool stopped = false;
};
Answer find_answer(std::string_view bytes, std::string_view stop) {
  const size_t begin = bytes.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  bytes.remove_prefix(begin);
  const size_t end = stop.empty() ? std::string_view::npos : bytes.find(stop);
  return {trim(bytes.substr(0, end)), end != std::string_view::npos};
}

size_t largest(const std::vector<double>& values) {
  return static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

}  // namespace

Result<std::vector<TaskItem>> read_task_file(const std::filesystem::path& path, std::string_view kind) {
  if (kind != "multiple_choice" && kind != "exact_match")
    return fail(ErrorCode::invalid_argument, "task kind '{}' is unknown; multiple_choice and exact_match exist", kind);
  PHISCOPE_ASSIGN(const std::string content, read_file(path));
  std::vector<TaskItem> items;
  size_t number = 0;
  for (const std::string& line : split(content, '\n')) {
    ++number;
    if (trim(line).empty()) continue;
    const std::string where = fmt::format("{} line {}", path.filename().string(), number);
    PHISCOPE_ASSIGN(const Json json, parse_json(line, where));
    PHISCOPE_ASSIGN(TaskItem item, parse_item(json, kind, where));
    items.push_back(std::move(item));
  }
  if (items.empty()) return fail(ErrorCode::invalid_file, "{}: the file holds no item", path.filename().string());
  return items;
}

std::vector<int32_t> prompt_ids(const Tokenizer& tokenizer, std::string_view prompt) {
  std::vector<int32_t> ids = tokenizer.encode(prompt, Specials::as_text);
  if (tokenizer.add_bos() && tokenizer.bos()) ids.insert(ids.begin(), *tokenizer.bos());
  return ids;
}

std::vector<int32_t> continuation_ids(const Tokenizer& tokenizer, std::string_view prompt, std::string_view continuation) {
  const std::vector<int32_t> prefix = tokenizer.encode(prompt, Specials::as_text);
  const std::vector<int32_t> whole = tokenizer.encode(std::string(prompt) + std::string(continuation), Specials::as_text);
  if (whole.size() > prefix.size() && std::equal(prefix.begin(), prefix.end(), whole.begin()))
    return {whole.begin() + static_cast<std::ptrdiff_t>(prefix.size()), whole.end()};
  return tokenizer.encode(continuation, Specials::as_text);
}

Result<ItemScore> score_choices(const TaskModel& model, const TaskItem& item) {
  const std::vector<int32_t> context = prompt_ids(model.tokenizer, item.prompt);
  std::vector<double> sums, per_byte;
  for (const std::string& choice : item.choices) {
    const std::vector<int32_t> ids = continuation_ids(model.tokenizer, item.prompt, choice);
    PHISCOPE_ASSIGN(const ContinuationScore score,
                    score_continuation(model.session, context, !sums.empty(), ids, model.hidden, model.vocab));
    sums.push_back(score.log_likelihood);
    per_byte.push_back(score.log_likelihood / static_cast<double>(choice.size()));
  }
  ItemScore result;
  result.choice = static_cast<int64_t>(largest(sums));
  result.correct = result.choice == item.answer;
  result.correct_normalized = static_cast<int64_t>(largest(per_byte)) == item.answer;
  result.log_likelihood = sums[static_cast<size_t>(item.answer)];
  return result;
}

Result<ItemScore> score_exact_match(const TaskModel& model, const TaskItem& item, const ItemsBlock& block) {
  const std::vector<int32_t> context = prompt_ids(model.tokenizer, item.prompt);
  PHISCOPE_TRY(model.session.truncate(0));
  PHISCOPE_TRY(model.session.append(context));
  const std::vector<int32_t> stops = model.tokenizer.stop_ids();
  ItemScore result;
  std::string bytes;
  const auto on_token = [&](int32_t id, int64_t) {
    if (std::find(stops.begin(), stops.end(), id) != stops.end()) return false;
    bytes += model.tokenizer.token_bytes(id);
    return !find_answer(bytes, block.stop).stopped;
  };
  const int64_t room = std::clamp<int64_t>(model.context - model.session.length(), 0, block.max_new_tokens);
  PHISCOPE_TRY(model.session.decode(room, greedy_sampler, on_token));
  const std::string_view text = find_answer(bytes, block.stop).text;
  result.text = sanitize_utf8(text);
  result.correct = result.correct_normalized = text == trim(item.answer_text);
  return result;
}

Result<Series> score_task(const TaskModel& model, const ItemsBlock& block, const std::function<bool(double fraction)>& keep_going) {
  PHISCOPE_ASSIGN(std::vector<TaskItem> items, read_task_file(block.task, block.kind));
  if (block.max_items > 0 && static_cast<int64_t>(items.size()) > block.max_items) items.resize(static_cast<size_t>(block.max_items));
  Series series{"task_items", {}, 0, 0, {"item", "correct", "correct_normalized", "choice", "answer", "log_likelihood"}, {}};
  series.rows.resize(series.columns.size());
  for (size_t i = 0; i < items.size(); ++i) {
    if (!keep_going(static_cast<double>(i) / static_cast<double>(items.size())))
      return fail(ErrorCode::cancelled, "stopped after {} of {} items", i, items.size());
    auto score = block.kind == "exact_match" ? score_exact_match(model, items[i], block) : score_choices(model, items[i]);
    if (!score) return fail(score.error().with_context(fmt::format("{} item '{}'", block.task.filename().string(), items[i].id)));
    const double values[] = {static_cast<double>(i), score->correct ? 1.0 : 0.0, score->correct_normalized ? 1.0 : 0.0,
                             static_cast<double>(score->choice), block.kind == "exact_match" ? -1.0 : static_cast<double>(items[i].answer),
                             score->log_likelihood};
    for (size_t column = 0; column < series.rows.size(); ++column) series.rows[column].push_back(values[column]);
  }
  return series;
}

}  // namespace phiscope::bench
