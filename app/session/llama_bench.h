#pragma once
// What llama.cpp's llama-bench wrote (-o json, jsonl or csv), as runs of a foreign engine: marked with environment["protocol"] = "llama-bench",
// so that a comparison refuses to mix them with our own unless it is told to.

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/record/record.h"

namespace phiscope::session {

/// Looks at the beginning only.
bool is_llama_bench(std::string_view text);

struct LlamaBenchImport {
  std::vector<Run> runs;             // one for each configuration (all fields but the test and its times), in the order of the file
  std::vector<std::string> notices;  // tests that have no counterpart here, a sentence each
};
/// The same text gives the same run ids, so importing it twice adds nothing. JSON keeps every repetition; CSV holds only the mean.
/// Errors: invalid_file naming the row and the field.
Result<LlamaBenchImport> read_llama_bench(std::string_view text, std::string_view where);

}  // namespace phiscope::session
