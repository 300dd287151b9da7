#pragma once
// A folder that is complete or absent, and the small files of a model that go into it. Internal to core/convert.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/base/files.h"

namespace phiscope {

/// A folder that disappears unless it was moved into place.
class FolderBuild {
 public:
  static Result<FolderBuild> beside(const std::filesystem::path& target);
  explicit FolderBuild(std::filesystem::path path) : path_(std::move(path)) {}
  FolderBuild(FolderBuild&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  FolderBuild& operator=(FolderBuild&&) = delete;
  ~FolderBuild();
  const std::filesystem::path& path() const { return path_; }
  Status move_to(const std::filesystem::path& target);

 private:
  std::filesystem::path path_;
};

/// Copies config, tokenizer and generation files that are there, so that `to` is a model by itself. Their names in a fixed order.
Result<std::vector<std::string>> copy_companions(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace phiscope
