#include "core/bench/task_import.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <functional>

#include "core/base/json.h"
#include "core/base/text.h"

namespace phiscope::bench {
namespace {

using Records = Result<std::vector<TaskRecord>>;
using ReadLine = Result<TaskRecord> (*)(const TaskFormat& format, const Json& json, const std::string& where);

Result<std::string> text_of(const Json& json, const char* key, const std::string& where) { return json_string(json, key, where); }

/// "2" and 2 alike: both are published.
Result<int64_t> index_of(const Json& json, const char* key, const std::string& where, int64_t low, int64_t high) {
  const auto found = json.find(key);
  if (found != json.end() && found->is_string()) {
    const std::string& text = found->get_ref<const std::string&>();
    const bool is_number = !text.empty() && text.size() < 10 && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    if (is_number && std::stoll(text) >= low && std::stoll(text) <= high) return std::stoll(text);
    return fail(ErrorCode::invalid_file, "{}: key '{}' is '{}', a number from {} to {} was expected; files without answers cannot be scored", where, key,
                text, low, high);
  }
  return json_int(json, key, where, low, high);
}

Result<std::vector<std::string>> texts_of(const Json& json, const std::string& key, const std::string& where) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_array() || found->empty())
    return fail(ErrorCode::invalid_file, "{}: key '{}' must be a list of texts", where, key);
  std::vector<std::string> texts;
  for (const Json& element : *found) {
    if (!element.is_string() || element.get_ref<const std::string&>().empty())
      return fail(ErrorCode::invalid_file, "{}: key '{}' holds something that is not a text or is empty", where, key);
    texts.push_back(element.get<std::string>());
  }
  return texts;
}

/// Texts and numbers of an object; nested objects as "outer.inner".
void add_fields(const Json& json, const std::string& prefix, std::map<std::string, std::string>& fields) {
  for (const auto& [key, value] : json.items()) {
    if (value.is_string()) fields[prefix + key] = value.get<std::string>();
    else if (value.is_number() || value.is_boolean()) fields[prefix + key] = value.dump();
    else if (value.is_object()) add_fields(value, prefix + key + ".", fields);
  }
}

Records read_lines(const TaskFormat& format, std::string_view content, const std::string& where, ReadLine read_line) {
  std::vector<TaskRecord> records;
  size_t number = 0;
  for (const std::string& line : split(content, '\n')) {
    ++number;
    if (trim(line).empty()) continue;
    const std::string place = fmt::format("{} line {}", where, number);
    PHISCOPE_ASSIGN(const Json json, parse_json(line, place));
    if (!json.is_object()) return fail(ErrorCode::invalid_file, "{}: an object was expected, this is {}", place, json.type_name());
    PHISCOPE_ASSIGN(TaskRecord record, read_line(format, json, place));
    if (record.id.empty()) record.id = std::to_string(records.size());
    records.push_back(std::move(record));
  }
  return records;
}
template <ReadLine read_line>
Records lines(const TaskFormat& format, std::string_view content, const std::string& where) {
  return read_lines(format, content, where, read_line);
}

Result<TaskRecord> own_line(const TaskFormat& format, const Json& json, const std::string& where) {
  TaskRecord record;
  PHISCOPE_ASSIGN(record.id, text_of(json, "id", where));
  PHISCOPE_ASSIGN(record.fields["prompt"], text_of(json, "prompt", where));
  if (format.kind == "multiple_choice") {
    PHISCOPE_ASSIGN(record.choices, texts_of(json, "choices", where));
    PHISCOPE_ASSIGN(record.answer, json_int(json, "answer", where, 0, static_cast<int64_t>(record.choices.size()) - 1));
  } else {
    PHISCOPE_ASSIGN(record.fields["answer"], text_of(json, "answer", where));
  }
  return record;
}

// Any objects; the format names the keys of choices and answer. The answer is an index, or the text of a choice.
Result<TaskRecord> any_line(const TaskFormat& format, const Json& json, const std::string& where) {
  TaskRecord record;
  add_fields(json, "", record.fields);
  record.id = json_string_or(json, "id", "");
  if (format.kind != "multiple_choice") return record;
  PHISCOPE_ASSIGN(record.choices, texts_of(json, format.choices_key, where));
  const auto found = json.find(format.answer_key);
  if (found != json.end() && found->is_string()) {
    const auto same = std::find(record.choices.begin(), record.choices.end(), found->get<std::string>());
    if (same != record.choices.end()) {
      record.answer = same - record.choices.begin();
      return record;
    }
  }
  PHISCOPE_ASSIGN(record.answer, index_of(json, format.answer_key.c_str(), where, 0, static_cast<int64_t>(record.choices.size()) - 1));
  return record;
}

// samples_*.jsonl of `lm_eval --log_samples`: the requests exactly as they were asked, worked examples included.
Result<TaskRecord> lm_eval_sample(const TaskFormat& format, const Json& json, const std::string& where) {
  TaskRecord record;
  PHISCOPE_ASSIGN(const int64_t id, json_int_or(json, "doc_id", -1, where, 0, int64_t{1} << 40));
  if (id >= 0) record.id = std::to_string(id);
  const auto arguments = json.find("arguments");
  if (arguments == json.end() || !arguments->is_object() || arguments->empty())
    return fail(ErrorCode::invalid_file, "{}: key 'arguments' must hold the requests; make the file with lm_eval --log_samples", where);
  bool same_prompt = true;
  for (const auto& [name, request] : arguments->items()) {
    const std::string place = fmt::format("{} {}", where, name);
    if (!request.is_object() || !request.contains("arg_1") || !request["arg_1"].is_string())
      return fail(ErrorCode::unsupported, "{}: only log-likelihood requests can be asked again; use the task's own file and a format for generation", place);
    PHISCOPE_ASSIGN(std::string prompt, text_of(request, "arg_0", place));
    PHISCOPE_ASSIGN(std::string continuation, text_of(request, "arg_1", place));
    same_prompt = same_prompt && (record.prompts.empty() || record.prompts.front() == prompt);
    record.prompts.push_back(std::move(prompt));
    // lm-eval puts the delimiter, a space but for tasks that say otherwise, in front of the choice.
    if (!continuation.empty() && continuation.front() == ' ') continuation.erase(0, 1);
    record.choices.push_back(std::move(continuation));
  }
  if (same_prompt) record.prompts.resize(1);
  if (format.kind == "cloze") {
    record.fields["answer"] = record.choices.front();
    return record;
  }
  PHISCOPE_ASSIGN(record.answer, index_of(json, "target", where, 0, static_cast<int64_t>(record.choices.size()) - 1));
  return record;
}

// What lm-eval does to HellaSwag's texts: marks of WikiHow are removed.
std::string without_marks(std::string_view raw) {
  std::string text(trim(raw)), out;
  for (size_t at = 0; (at = text.find(" [title]", at)) != std::string::npos;) text.replace(at, 8, ". ");
  for (size_t i = 0; i < text.size();) {
    const size_t close = text[i] == '[' ? text.find_first_of("]\n", i) : std::string::npos;
    if (close != std::string::npos && text[close] == ']') i = close + 1;
    else out += text[i++];
  }
  for (size_t at = 0; (at = out.find("  ", at)) != std::string::npos; ++at) out.replace(at, 2, " ");
  return out;
}

// First letter large, the others small, as Python's capitalize() does to ASCII letters.
std::string capitalized(std::string text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    text[i] = static_cast<char>(i == 0 ? std::toupper(c) : c < 0x80 ? std::tolower(c) : c);
  }
  return text;
}

Result<TaskRecord> hellaswag(const TaskFormat&, const Json& json, const std::string& where) {
  TaskRecord record;
  PHISCOPE_ASSIGN(const std::string activity, text_of(json, "activity_label", where));
  PHISCOPE_ASSIGN(const std::string first, text_of(json, "ctx_a", where));
  PHISCOPE_ASSIGN(const std::string second, text_of(json, "ctx_b", where));
  record.fields["query"] = without_marks(activity + ": " + first + " " + capitalized(second));
  PHISCOPE_ASSIGN(record.choices, texts_of(json, "endings", where));
  for (std::string& choice : record.choices) choice = without_marks(choice);
  PHISCOPE_ASSIGN(record.answer, index_of(json, "label", where, 0, static_cast<int64_t>(record.choices.size()) - 1));
  return record;
}

// AI2's own form has {"question": {"stem", "choices": [{"text", "label"}]}}, the one on the hub {"question", "choices": {"text": [], "label": []}}.
Result<TaskRecord> arc(const TaskFormat&, const Json& json, const std::string& where) {
  TaskRecord record;
  record.id = json_string_or(json, "id", "");
  std::vector<std::string> labels;
  const auto question = json.find("question");
  if (question != json.end() && question->is_object()) {
    PHISCOPE_ASSIGN(record.fields["question"], text_of(*question, "stem", where));
    const auto choices = question->find("choices");
    if (choices == question->end() || !choices->is_array()) return fail(ErrorCode::invalid_file, "{}: key 'question.choices' must be a list", where);
    for (const Json& choice : *choices) {
      PHISCOPE_ASSIGN(record.choices.emplace_back(), text_of(choice, "text", where));
      PHISCOPE_ASSIGN(labels.emplace_back(), text_of(choice, "label", where));
    }
  } else {
    PHISCOPE_ASSIGN(record.fields["question"], text_of(json, "question", where));
    const Json choices = json.value("choices", Json::object());
    PHISCOPE_ASSIGN(record.choices, texts_of(choices, "text", where + " choices"));
    PHISCOPE_ASSIGN(labels, texts_of(choices, "label", where + " choices"));
  }
  PHISCOPE_ASSIGN(const std::string key, text_of(json, "answerKey", where));
  const auto found = std::find(labels.begin(), labels.end(), key);
  if (found == labels.end() || labels.size() != record.choices.size())
    return fail(ErrorCode::invalid_file, "{}: answerKey '{}' is no label of its {} choices", where, key, record.choices.size());
  record.answer = found - labels.begin();
  return record;
}

void add_letters(TaskRecord& record) {
  for (size_t i = 0; i < record.choices.size() && i < 26; ++i) record.fields[std::string(1, static_cast<char>('A' + i))] = record.choices[i];
}

Result<TaskRecord> mmlu_line(const TaskFormat&, const Json& json, const std::string& where) {
  TaskRecord record;
  PHISCOPE_ASSIGN(const std::string question, text_of(json, "question", where));
  record.fields["question"] = trim(question);
  std::string subject = json_string_or(json, "subject", "");
  std::replace(subject.begin(), subject.end(), '_', ' ');
  record.fields["subject"] = subject;
  PHISCOPE_ASSIGN(record.choices, texts_of(json, "choices", where));
  add_letters(record);
  PHISCOPE_ASSIGN(record.answer, index_of(json, "answer", where, 0, static_cast<int64_t>(record.choices.size()) - 1));
  return record;
}

struct CsvRow {
  std::vector<std::string> cells;
  size_t line = 0;  // where it begins
};

/// RFC 4180: quoted cells may hold commas, doubled quotes and line ends.
Result<std::vector<CsvRow>> read_csv(std::string_view content, const std::string& where) {
  std::vector<CsvRow> rows;
  size_t line = 1, i = 0;
  while (i < content.size()) {
    CsvRow row{{""}, line};
    for (bool ends = false; !ends && i <= content.size();) {
      if (i < content.size() && content[i] == '"' && row.cells.back().empty()) {
        for (++i; ; ++i) {
          if (i >= content.size()) return fail(ErrorCode::invalid_file, "{} line {}: a quoted cell has no end", where, row.line);
          line += content[i] == '\n' ? 1 : 0;
          if (content[i] != '"') row.cells.back() += content[i];
          else if (content.substr(i + 1, 1) == "\"") row.cells.back() += content[i++];
          else break;
        }
        ++i;
        continue;
      }
      const char c = i < content.size() ? content[i] : '\n';
      ++i;
      if (c == ',') row.cells.emplace_back();
      else if (c == '\n') ends = true;
      else if (c != '\r') row.cells.back() += c;
    }
    ++line;
    if (row.cells.size() > 1 || !row.cells[0].empty()) rows.push_back(std::move(row));
  }
  return rows;
}

// The original archive: no header, question,A,B,C,D,answer letter; the file's name is the subject (anatomy_test.csv).
Records mmlu_csv(const TaskFormat&, std::string_view content, const std::string& where) {
  PHISCOPE_ASSIGN(const std::vector<CsvRow> rows, read_csv(content, where));
  std::string subject = std::filesystem::path(where).stem().string();
  for (const std::string_view part : {"_test", "_dev", "_val"})
    if (subject.ends_with(part)) subject.resize(subject.size() - part.size());
  std::replace(subject.begin(), subject.end(), '_', ' ');
  std::vector<TaskRecord> records;
  for (const CsvRow& row : rows) {
    if (row.cells.size() != 6)
      return fail(ErrorCode::invalid_file, "{} line {}: {} cells, MMLU has 6: question, four choices, answer", where, row.line, row.cells.size());
    TaskRecord record{std::to_string(records.size()), {{"question", std::string(trim(row.cells[0]))}, {"subject", subject}}, {}, -1, {}};
    record.choices.assign(row.cells.begin() + 1, row.cells.begin() + 5);
    add_letters(record);
    const std::string_view answer = trim(row.cells[5]);
    if (answer.size() != 1 || answer[0] < 'A' || answer[0] > 'D')
      return fail(ErrorCode::invalid_file, "{} line {}: the answer is '{}', a letter from A to D was expected", where, row.line, answer);
    record.answer = answer[0] - 'A';
    records.push_back(std::move(record));
  }
  return records;
}

Result<TaskRecord> question_and_answer(const TaskFormat&, const Json& json, const std::string& where) {
  TaskRecord record;
  PHISCOPE_ASSIGN(record.fields["question"], text_of(json, "question", where));
  PHISCOPE_ASSIGN(record.fields["answer"], text_of(json, "answer", where));
  return record;
}

Result<TaskRecord> winogrande(const TaskFormat&, const Json& json, const std::string& where) {
  TaskRecord record;
  record.id = json_string_or(json, "qID", "");
  PHISCOPE_ASSIGN(const std::string sentence, text_of(json, "sentence", where));
  const size_t gap = sentence.find('_');
  if (gap == std::string::npos) return fail(ErrorCode::invalid_file, "{}: the sentence has no _ to fill", where);
  record.fields["before"] = sentence.substr(0, gap);
  record.fields["after"] = trim(std::string_view(sentence).substr(gap + 1));
  for (const char* option : {"option1", "option2"}) {
    PHISCOPE_ASSIGN(record.choices.emplace_back(), text_of(json, option, where));
  }
  PHISCOPE_ASSIGN(const int64_t answer, index_of(json, "answer", where, 1, 2));
  record.answer = answer - 1;
  return record;
}

// mc1_targets: {"choices": [], "labels": []} on the hub, {"text": 0 or 1, ...} in the original mc_task.json. Exactly one is right.
Result<TaskRecord> truthfulqa_item(const Json& json, const std::string& where) {
  TaskRecord record;
  PHISCOPE_ASSIGN(record.fields["question"], text_of(json, "question", where));
  const auto targets = json.find("mc1_targets");
  if (targets == json.end() || !targets->is_object()) return fail(ErrorCode::invalid_file, "{}: key 'mc1_targets' is missing", where);
  std::vector<int> labels;
  const bool is_hub = targets->contains("choices") && (*targets)["choices"].is_array();
  if (is_hub) {
    PHISCOPE_ASSIGN(record.choices, texts_of(*targets, "choices", where + " mc1_targets"));
  }
  const Json values = is_hub ? targets->value("labels", Json::array()) : *targets;
  for (const auto& [text, label] : values.items()) {
    if (!is_hub) record.choices.push_back(text);
    labels.push_back(label.is_number_integer() ? label.get<int>() : -1);
  }
  const auto right = std::find(labels.begin(), labels.end(), 1);
  if (labels.size() != record.choices.size() || std::count(labels.begin(), labels.end(), 1) != 1)
    return fail(ErrorCode::invalid_file, "{}: mc1_targets must mark exactly one of its {} choices as right", where, record.choices.size());
  record.answer = right - labels.begin();
  return record;
}
Result<TaskRecord> truthfulqa_line(const TaskFormat&, const Json& json, const std::string& where) { return truthfulqa_item(json, where); }

// One JSON array, or one object a line.
Records truthfulqa(const TaskFormat& format, std::string_view content, const std::string& where) {
  if (!trim(content).starts_with("[")) return read_lines(format, content, where, truthfulqa_line);
  PHISCOPE_ASSIGN(const Json list, parse_json(content, where));
  std::vector<TaskRecord> records;
  for (const Json& json : list) {
    const std::string place = fmt::format("{} item {}", where, records.size() + 1);
    if (!json.is_object()) return fail(ErrorCode::invalid_file, "{}: an object was expected, this is {}", place, json.type_name());
    PHISCOPE_ASSIGN(TaskRecord record, truthfulqa_item(json, place));
    record.id = std::to_string(records.size());
    records.push_back(std::move(record));
  }
  return records;
}

// {"text"}: the last word, after the last space, is to be found.
Result<TaskRecord> last_word(const TaskFormat&, const Json& json, const std::string& where) {
  TaskRecord record;
  PHISCOPE_ASSIGN(const std::string text, text_of(json, "text", where));
  const size_t space = text.rfind(' ');
  if (space == std::string::npos || space == 0 || space + 1 == text.size())
    return fail(ErrorCode::invalid_file, "{}: the text has no last word after a space", where);
  record.fields["context"] = text.substr(0, space);
  record.fields["answer"] = text.substr(space + 1);
  return record;
}

// To add an importer: a function above and a row; order = order shown.
constexpr Importer kImporters[] = {
    {"phiscope", "JSON lines {id, prompt, choices, answer: index} or {id, prompt, answer: text}; fields prompt, answer", lines<own_line>},
    {"jsonl", "any JSON lines; every text and number is a field (nested ones as outer.inner); choices_key and answer_key name the rest", lines<any_line>},
    {"lm_eval_samples", "samples_*.jsonl of lm_eval --log_samples: the requests as they were asked", lines<lm_eval_sample>},
    {"hellaswag_jsonl", "HellaSwag's JSON lines; field query", lines<hellaswag>},
    {"arc_jsonl", "ARC's JSON lines, AI2's form or the hub's; field question", lines<arc>},
    {"mmlu_csv", "MMLU's csv files; fields question, A, B, C, D, subject", mmlu_csv},
    {"mmlu_jsonl", "MMLU from the hub as JSON lines; fields question, A, B, C, D, subject", lines<mmlu_line>},
    {"gsm8k_jsonl", "GSM8K's JSON lines; fields question, answer", lines<question_and_answer>},
    {"winogrande_jsonl", "WinoGrande's JSON lines; fields before, after", lines<winogrande>},
    {"truthfulqa_json", "TruthfulQA's mc_task.json, or JSON lines of the hub's multiple_choice; field question; mc1", truthfulqa},
    {"last_word_jsonl", "JSON lines {text}, as LAMBADA's; fields context, answer", lines<last_word>},
};

}  // namespace

std::span<const Importer> task_importers() { return kImporters; }

Result<const Importer*> find_importer(std::string_view name, std::string_view where) {
  std::vector<std::string> names;
  for (const Importer& importer : kImporters) {
    if (importer.name == name) return &importer;
    names.emplace_back(importer.name);
  }
  return fail(ErrorCode::invalid_file, "{}: there is no importer '{}'; {} exist", where, name, fmt::join(names, ", "));
}

}  // namespace phiscope::bench
