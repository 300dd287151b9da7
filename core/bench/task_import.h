#pragma once
// Readers of published question files. To add one: a function and a row in task_import.cpp, a format file in datasets/tasks/formats, a test with a
// small file in the exact published form.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/bench/task_format.h"

namespace phiscope::bench {

struct Importer {
  std::string_view name;  // "hellaswag_jsonl"
  std::string_view file;  // what it reads and which fields it gives, for people
  /// `where` names the file. Errors: invalid_file naming file, line and key.
  Result<std::vector<TaskRecord>> (*read)(const TaskFormat& format, std::string_view content, const std::string& where);
};
std::span<const Importer> task_importers();
/// Error invalid_file with the names that exist.
Result<const Importer*> find_importer(std::string_view name, std::string_view where);

}  // namespace phiscope::bench
