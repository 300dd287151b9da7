#pragma once
// What to measure: speed shapes, fidelity corpora, accuracy tasks. Built-in suites are files in datasets/suites/*.toml.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace phiscope::bench {

struct SpeedShape {
  int64_t prompt = 0;      // prefill tokens, 0 = none
  int64_t generate = 0;    // decode tokens, 0 = none
  int64_t depth = 0;       // tokens already in the cache
};
/// Time to first token of a whole request: the first `bytes` bytes of a text, tokenized inside.
struct RequestPart {
  std::string text;        // file, relative to datasets/
  int64_t bytes = 512;
};
struct FidelityPart {
  std::string name;        // empty for the first part; others give their metrics a suffix, "kld_mean:NAME"
  std::string text;        // file, relative to datasets/
  int64_t chunk = 512, stride = 0, max_chunks = 0;
};
struct TaskPart {
  std::string name;        // metric "task_accuracy:NAME"
  std::string file;        // relative to datasets/, or absolute
  std::string format;      // task_format.h: a .toml file; empty = Phiscope's own form, said by `kind`, `max_new_tokens` and `stop`
  std::string shots_file;  // worked examples in the same form; empty = none
  int64_t shots = -1;      // so many of them; -1 = as many as the format says
  std::string kind;        // "multiple_choice", "cloze", "exact_match"; the format's where there is one
  int64_t items = 0;       // 0 = all
  int64_t max_new_tokens = 16;
  std::string stop;
};
/// Decoding without a pause, for thermal limits: one generation after the other until the time is over.
struct SustainedPart {
  double seconds = 0;      // 0 = left out
  int64_t generate = 128;
};
/// Every run ends with it: finite logits, and the greedy tokens of fixed prompts.
struct OutputCheck {
  std::vector<std::string> prompts;
  int64_t tokens = 16;
};
struct Suite {
  std::string name;
  int version = 1;
  std::string hash;        // over settings and the content of every data file
  std::filesystem::path datasets, folder;  // of the data sets, of the suite's file
  std::vector<SpeedShape> speed;
  std::vector<RequestPart> requests;
  int64_t min_repetitions = 5, max_repetitions = 30;
  int64_t max_warmups = 5;
  double max_seconds_per_shape = 4;
  double stop_relative_sd = 0.01;
  std::vector<FidelityPart> fidelity;
  std::vector<TaskPart> tasks;
  OutputCheck check;
  SustainedPart sustained;
  bool cold_start = false; // time the first request right after loading
  bool probe = false;      // measure the device's bandwidth first, for bandwidth_pct
};

/// "prefill_tokens_per_s@512", "decode_tokens_per_s@64d2048".
std::string shaped_metric(std::string_view family, int64_t length, int64_t depth);

/// Adds a task; a relative file that exists in `folder` is taken from there, else from the data sets. Errors: not_found naming the formats that exist,
/// those of read_task_format, invalid_argument for a second task of the same name.
Status add_task(Suite& suite, TaskPart part, const std::filesystem::path& folder);
/// "FILE:FORMAT" or "FILE:FORMAT:SHOTS_FILE" of a command line, files relative to the working directory. Changes the suite's hash.
Status add_task_argument(Suite& suite, std::string_view argument);

/// "quick", "standard", "full", or a .toml file. Errors: not_found with the names that exist; invalid_file naming key.
/// A data file that is missing is not_found, naming the part that wants it.
Result<Suite> load_suite(std::string_view name_or_path, const std::filesystem::path& datasets);

}  // namespace phiscope::bench
