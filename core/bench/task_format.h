#pragma once
// From a published file of questions to prompts: an importer (task_import.h) finds the records, a format file says how they are asked. Formats are
// TOML files, datasets/tasks/formats/NAME.toml or a user's own; their keys are documented in datasets/tasks/README.md.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace phiscope::bench {

inline constexpr std::string_view kTaskKinds = "multiple_choice, cloze or exact_match";
bool is_task_kind(std::string_view kind);

struct TaskFormat {
  std::string name;
  std::string importer = "phiscope";
  std::string kind;                 // see kTaskKinds
  // Templates: {field} is a field of the record, {choice} and {letter} are those of a choice, {{ and }} are braces.
  std::string preamble;             // before the worked examples
  std::string prompt = "{prompt}";  // with {choice} inside: one prompt a choice, all with the same continuation
  std::string delimiter;            // between prompt and continuation; no part of a choice's length
  std::string choice = "{choice}";
  std::string target = "{answer}";  // cloze, exact match, and the answer of a worked example of those
  std::string separator = "\n\n";   // between worked examples
  int64_t shots = 0;                // worked examples when a file of them is given
  std::string choices_key = "choices", answer_key = "answer";  // importer "jsonl"
  // Exact match
  int64_t max_new_tokens = 256;
  std::vector<std::string> stop;    // generation ends before the first of these
  bool skip_leading_space = false;  // white space at the start is no answer yet: a stop text inside it does not count
  std::string extract;              // pattern; the answer is its first match, or its last; without a match there is no answer
  bool extract_last = false;
  std::vector<std::string> ignore;  // patterns removed from answer and target, one after the other
  bool ignore_case = false;         // of ASCII letters
};

/// The file of a format's name or path: a .toml file (relative to `folder`), else a name in datasets/tasks/formats. Error not_found with the names.
Result<std::filesystem::path> find_task_format(const std::string& name_or_path, const std::filesystem::path& datasets,
                                               const std::filesystem::path& folder);
/// Errors: not_found, invalid_file naming key and line; unsupported for patterns that PCRE2 and Python read differently.
Result<TaskFormat> read_task_format(const std::filesystem::path& path);

/// One question as its file holds it.
struct TaskRecord {
  std::string id;
  std::map<std::string, std::string> fields;
  std::vector<std::string> choices;
  int64_t answer = -1;               // index of the right choice; -1 = not a choice
  std::vector<std::string> prompts;  // when the file holds whole prompts: one, or one a choice; the format's template is not used then
};

/// One question as a model is asked it.
struct TaskItem {
  std::string id;
  std::vector<std::string> prompts;        // one, or one a choice
  std::vector<std::string> continuations;  // one a choice, or the target of a cloze; with the delimiter in front
  std::vector<int64_t> lengths;            // characters of each choice without the delimiter: what acc_norm divides by
  int64_t answer = 0;                      // index in `continuations`
  std::string answer_text;                 // exact match
};

/// Records of `file` rendered by the format; the first `shots` records of `shots_file` are worked examples in front of each prompt (-1 = the format's
/// number; a path that is empty gives none). Errors: not_found, invalid_file naming file, line and key; an unknown {field} with those that exist.
Result<std::vector<TaskItem>> load_task(const TaskFormat& format, const std::filesystem::path& file, const std::filesystem::path& shots_file = {},
                                        int64_t shots = -1);

/// What an exact match compares: the generated text cut, extracted and normalised, and the target normalised. Empty without a match.
std::string extract_answer(const TaskFormat& format, std::string_view generated);
std::string normalize_answer(const TaskFormat& format, std::string_view text);
/// The generated text up to the first stop text; `stopped` says whether there was one.
std::string_view before_stop(const TaskFormat& format, std::string_view generated, bool* stopped = nullptr);

}  // namespace phiscope::bench
