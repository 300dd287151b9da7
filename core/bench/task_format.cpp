#include "core/bench/task_format.h"

#include <algorithm>
#include <cctype>

#include "core/base/files.h"
#include "core/base/text.h"
#include "core/bench/task_import.h"
#include "core/bench/toml_table.h"
#include "core/tokenizer/regex.h"

namespace phiscope::bench {
namespace {

constexpr uint64_t kMaxFormatBytes = uint64_t{1} << 20;

/// Replaces {field}; {{ and }} are braces.
Result<std::string> fill(std::string_view pattern, const std::map<std::string, std::string>& fields, std::string_view where) {
  std::string out;
  for (size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    if ((c == '{' || c == '}') && pattern.substr(i + 1, 1) == std::string_view(&c, 1)) {
      out += c;
      i += 2;
    } else if (c == '{') {
      const size_t end = pattern.find('}', i);
      if (end == std::string_view::npos) return fail(ErrorCode::invalid_file, "{}: a {{ has no }} in '{}'; write {{{{ for a brace", where, pattern);
      const std::string name(pattern.substr(i + 1, end - i - 1));
      const auto found = fields.find(name);
      if (found == fields.end()) {
        std::vector<std::string> names;
        for (const auto& [key, value] : fields) names.push_back(key);
        return fail(ErrorCode::invalid_file, "{}: there is no field {{{}}}; {} exist", where, name, fmt::join(names, ", "));
      }
      out += found->second;
      i = end + 1;
    } else {
      out += c;
      ++i;
    }
  }
  return out;
}

int64_t characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

std::map<std::string, std::string> with_choice(const TaskRecord& record, size_t index) {
  auto fields = record.fields;
  fields["choice"] = record.choices[index];
  fields["letter"] = std::string(1, static_cast<char>('A' + index % 26));
  return fields;
}

class Renderer {
 public:
  Renderer(const TaskFormat& format, std::string where) : format_(format), where_(std::move(where)), asks_choices_(format.kind == "multiple_choice") {}

  /// The whole text of a worked example.
  Result<std::string> example(const TaskRecord& record) const {
    PHISCOPE_ASSIGN(const TaskItem item, render(record, ""));
    if (format_.kind == "exact_match") return item.prompts[0] + format_.delimiter + item.answer_text;
    const auto right = static_cast<size_t>(item.answer);
    return item.prompts[item.prompts.size() > 1 ? right : 0] + item.continuations[right];
  }

  Result<TaskItem> render(const TaskRecord& record, const std::string& examples) const {
    TaskItem item;
    item.id = record.id;
    if (asks_choices_ && record.choices.size() < 2) return fail(ErrorCode::invalid_file, "{} item '{}': fewer than two choices", where_, record.id);
    if (asks_choices_ && (record.answer < 0 || record.answer >= static_cast<int64_t>(record.choices.size())))
      return fail(ErrorCode::invalid_file, "{} item '{}': no choice is marked as right", where_, record.id);
    PHISCOPE_TRY(prompts(record, examples, item));
    if (!asks_choices_) {
      PHISCOPE_ASSIGN(item.answer_text, fill(format_.target, record.fields, where_));
      if (format_.kind == "cloze") item.continuations = {format_.delimiter + item.answer_text};
      return item;
    }
    item.answer = record.answer;
    for (size_t i = 0; i < record.choices.size(); ++i) {
      PHISCOPE_ASSIGN(const std::string choice, fill(format_.choice, with_choice(record, i), where_));
      if (choice.empty()) return fail(ErrorCode::invalid_file, "{} item '{}': choice {} is empty", where_, record.id, i + 1);
      item.lengths.push_back(characters(choice));
      item.continuations.push_back(format_.delimiter + choice);
    }
    return item;
  }

 private:
  Status prompts(const TaskRecord& record, const std::string& examples, TaskItem& item) const {
    if (!record.prompts.empty()) {
      item.prompts = record.prompts;
      return {};
    }
    const bool is_each = asks_choices_ && format_.prompt.find("{choice}") != std::string::npos;
    for (size_t i = 0; i < (is_each ? record.choices.size() : 1); ++i) {
      PHISCOPE_ASSIGN(const std::string prompt, fill(format_.prompt, is_each ? with_choice(record, i) : record.fields, where_));
      item.prompts.push_back(examples + prompt);
    }
    return {};
  }

  const TaskFormat& format_;
  std::string where_;
  bool asks_choices_;
};

Result<std::vector<TaskRecord>> read_records(const TaskFormat& format, const std::filesystem::path& file) {
  PHISCOPE_ASSIGN(const std::string content, read_file(file));
  PHISCOPE_ASSIGN(const Importer* importer, find_importer(format.importer, format.name));
  PHISCOPE_ASSIGN(std::vector<TaskRecord> records, importer->read(format, content, file.filename().string()));
  if (records.empty()) return fail(ErrorCode::invalid_file, "{}: the file holds no item", file.filename().string());
  return records;
}

Status check_patterns(const TaskFormat& format) {
  for (const std::string& pattern : format.ignore) PHISCOPE_TRY(Regex::compile(pattern, format.name + " ignore"));
  if (!format.extract.empty()) PHISCOPE_TRY(Regex::compile(format.extract, format.name + " extract"));
  return {};
}

std::vector<Regex::Match> all_matches(const std::string& pattern, std::string_view text) {
  std::vector<Regex::Match> matches;
  const auto regex = Regex::compile(pattern, "pattern");  // checked when the format was read
  if (!regex) return matches;
  RegexScratch scratch(*regex);
  for (size_t from = 0; from <= text.size();) {
    const auto match = regex->next(text, from, scratch);
    if (!match) break;
    matches.push_back(*match);
    from = match->end > match->begin ? match->end : match->end + 1;
  }
  return matches;
}

std::vector<std::string> format_names(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored))
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

bool is_task_kind(std::string_view kind) { return kind == "multiple_choice" || kind == "cloze" || kind == "exact_match"; }

Result<std::filesystem::path> find_task_format(const std::string& name, const std::filesystem::path& datasets, const std::filesystem::path& folder) {
  std::error_code ignored;
  if (name.ends_with(".toml")) {
    const std::filesystem::path path = std::filesystem::absolute(folder / name);
    if (std::filesystem::is_regular_file(path, ignored)) return path;
    return fail(ErrorCode::not_found, "{}: there is no such format file", path.string());
  }
  const std::filesystem::path formats = datasets / "tasks" / "formats", path = formats / (name + ".toml");
  if (name.find('/') == std::string::npos && std::filesystem::is_regular_file(path, ignored)) return path;
  const std::vector<std::string> names = format_names(formats);
  const std::string near = nearest_name(name, names);
  return fail(ErrorCode::not_found, "there is no task format '{}'{}; {} exist, or name a .toml file", name,
              near.empty() ? "" : fmt::format(", did you mean '{}'", near), fmt::join(names, ", "));
}

Result<TaskFormat> read_task_format(const std::filesystem::path& path) {
  PHISCOPE_ASSIGN(const std::string content, read_file(path, kMaxFormatBytes));
  const std::string where = path.filename().string();
  const toml::parse_result parsed = toml::parse(content, where);
  if (!parsed) return fail(ErrorCode::invalid_file, "{} line {}: {}", where, parsed.error().source().begin.line, parsed.error().description());
  TaskFormat format;
  format.name = path.stem().string();
  format.delimiter = " ";
  TomlTable table(parsed.table(), where);
  struct Text {
    const char* key;
    std::string& value;
  };
  for (const Text& text : {Text{"importer", format.importer}, {"kind", format.kind}, {"preamble", format.preamble}, {"prompt", format.prompt},
                           {"delimiter", format.delimiter}, {"choice", format.choice}, {"target", format.target}, {"separator", format.separator},
                           {"choices_key", format.choices_key}, {"answer_key", format.answer_key}, {"extract", format.extract}})
    PHISCOPE_TRY(table.text(text.key, text.value));
  PHISCOPE_TRY(table.integer("shots", format.shots, 0, 1000));
  PHISCOPE_TRY(table.integer("max_new_tokens", format.max_new_tokens, 1, 4096));
  PHISCOPE_TRY(table.texts("stop", format.stop));
  PHISCOPE_TRY(table.texts("ignore", format.ignore));
  PHISCOPE_TRY(table.flag("extract_last", format.extract_last));
  PHISCOPE_TRY(table.flag("ignore_case", format.ignore_case));
  PHISCOPE_TRY(table.flag("skip_leading_space", format.skip_leading_space));
  PHISCOPE_TRY(table.finish());
  if (!is_task_kind(format.kind)) return fail(ErrorCode::invalid_file, "{}: key 'kind' must be {}", where, kTaskKinds);
  PHISCOPE_TRY(find_importer(format.importer, where));
  PHISCOPE_TRY(check_patterns(format));
  return format;
}

Result<std::vector<TaskItem>> load_task(const TaskFormat& format, const std::filesystem::path& file, const std::filesystem::path& shots_file,
                                        int64_t shots) {
  PHISCOPE_ASSIGN(const std::vector<TaskRecord> records, read_records(format, file));
  std::vector<std::string> examples;
  if (!shots_file.empty()) {
    PHISCOPE_ASSIGN(std::vector<TaskRecord> worked, read_records(format, shots_file));
    const int64_t wanted = shots >= 0 ? shots : format.shots;
    if (static_cast<int64_t>(worked.size()) < wanted)
      return fail(ErrorCode::invalid_argument, "{} holds {} worked examples, {} were asked for", shots_file.filename().string(), worked.size(), wanted);
    worked.resize(static_cast<size_t>(wanted));
    const Renderer renderer(format, shots_file.filename().string());
    for (const TaskRecord& record : worked) {
      PHISCOPE_ASSIGN(examples.emplace_back(), renderer.example(record));
    }
  }
  const Renderer renderer(format, file.filename().string());
  std::vector<TaskItem> items;
  for (const TaskRecord& record : records) {
    PHISCOPE_ASSIGN(std::string before, fill(format.preamble, record.fields, format.name));
    for (const std::string& example : examples) before += example + format.separator;
    PHISCOPE_ASSIGN(TaskItem item, renderer.render(record, before));
    items.push_back(std::move(item));
  }
  return items;
}

std::string_view before_stop(const TaskFormat& format, std::string_view text, bool* stopped) {
  if (stopped != nullptr) *stopped = false;
  if (format.skip_leading_space) {
    const size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) return {};
    text.remove_prefix(begin);
  }
  for (const std::string& stop : format.stop) {
    const size_t end = stop.empty() ? std::string_view::npos : text.find(stop);
    if (end == std::string_view::npos) continue;
    text = text.substr(0, end);
    if (stopped != nullptr) *stopped = true;
  }
  return text;
}

std::string normalize_answer(const TaskFormat& format, std::string_view raw) {
  std::string text = sanitize_utf8(raw);
  for (const std::string& pattern : format.ignore) {
    std::string kept;
    size_t from = 0;
    for (const Regex::Match& match : all_matches(pattern, text)) {
      kept += text.substr(from, match.begin - from);
      from = match.end;
    }
    text = kept + text.substr(from);
  }
  if (format.ignore_case)
    for (char& c : text)
      if (static_cast<unsigned char>(c) < 0x80) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::string(trim(text));
}

std::string extract_answer(const TaskFormat& format, std::string_view generated) {
  std::string text = sanitize_utf8(before_stop(format, generated));
  if (!format.extract.empty()) {
    const auto matches = all_matches(format.extract, text);
    if (matches.empty()) return "";
    const Regex::Match& match = format.extract_last ? matches.back() : matches.front();
    text = trim(std::string_view(text).substr(match.begin, match.end - match.begin));
  }
  return normalize_answer(format, text);
}

}  // namespace phiscope::bench
