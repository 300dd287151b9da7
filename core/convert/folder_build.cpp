#include "core/convert/folder_build.h"

#include <array>
#include <string_view>

#include "core/tokenizer/gguf_tokenizer.h"

namespace phiscope {
namespace {

constexpr std::array<std::string_view, 13> kCompanions{
    "config.json",      "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "tokenizer.model",        "vocab.json",     "merges.txt",            "chat_template.jinja",
    "cl100k_base.tiktoken", "o200k_base.tiktoken",    kGgufVocabularyName};

}  // namespace

Result<FolderBuild> FolderBuild::beside(const std::filesystem::path& target) {
  PHISCOPE_ASSIGN(std::filesystem::path path, make_directory_beside(target));
  return FolderBuild(std::move(path));
}

FolderBuild::~FolderBuild() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

Status FolderBuild::move_to(const std::filesystem::path& target) {
  PHISCOPE_TRY(replace_directory(path_, target));
  path_.clear();
  return {};
}

Result<std::vector<std::string>> copy_companions(const std::filesystem::path& from, const std::filesystem::path& to) {
  constexpr uint64_t kLimitBytes = uint64_t{256} << 20;
  std::vector<std::string> copied;
  for (const std::string_view name : kCompanions) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(from / name, error)) continue;
    PHISCOPE_ASSIGN(const std::string content, read_file(from / name, kLimitBytes));
    PHISCOPE_TRY(write_file(to / name, content));
    copied.emplace_back(name);
  }
  return copied;
}

}  // namespace phiscope
