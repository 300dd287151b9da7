#pragma once
// Tells whether a file is still the one that was seen: cheap for files of any size.

#include <filesystem>
#include <string>

#include "core/base/result.h"

namespace phiscope {

struct FileRecord {
  std::string name;  // relative to its folder
  uint64_t bytes = 0;
  std::string hash;  // of the whole content up to 64 MB; beyond, of the size and 64 samples of 64 kB, both ends included
};

/// Errors: not_found, io. `name` is relative to `folder`.
Result<FileRecord> fingerprint_file(const std::filesystem::path& folder, const std::string& name);
/// Error invalid_file naming the file when it is not the one recorded.
Status check_fingerprint(const std::filesystem::path& folder, const FileRecord& recorded);

}  // namespace phiscope
