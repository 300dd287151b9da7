#pragma once
// Final-norm hidden states of the reference for the scored positions of a text: a 64-byte header ("phiscope hidden 1", positions, hidden width),
// then f32 [positions, hidden]. Written once, mapped by every candidate.

#include <filesystem>
#include <memory>
#include <span>

#include "core/base/files.h"
#include "core/base/result.h"

namespace phiscope::bench {

class HiddenWriter {
 public:
  static Result<std::unique_ptr<HiddenWriter>> create(const std::filesystem::path& path, int64_t positions, int64_t hidden);
  Status write(std::span<const float> rows);
  Status commit();

 private:
  std::unique_ptr<AtomicFile> file_;
};

struct HiddenStates {
  std::shared_ptr<const MappedFile> file;
  std::span<const float> values;  // [positions, hidden]
  int64_t positions = 0, hidden = 0;
};
/// Errors: not_found; invalid_file when it is not such a file or not of these sizes (both are named).
Result<HiddenStates> map_hidden(const std::filesystem::path& path, int64_t positions, int64_t hidden);

}  // namespace phiscope::bench
