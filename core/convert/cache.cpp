// The user's cache: artifacts by what they are made of. Backends and the bench keep packed weights and hidden states beside them.

#include <algorithm>
#include <array>
#include <chrono>

#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/convert/artifact_layout.h"
#include "core/convert/manifest.h"

namespace phiscope {
namespace {

struct KindRow {
  std::string_view folder;  // in the cache folder
  std::string_view kind;    // as shown
};
// To add what the cache may hold: a row here.
constexpr std::array kKinds{KindRow{"artifacts", "artifact"}, KindRow{"packed", "packed"}, KindRow{"hidden", "hidden"}};

std::filesystem::path artifact_folder(const Model& model, const Recipe& recipe, const std::filesystem::path& cache_folder) {
  return cache_folder / "artifacts" / hash_text(fmt::format("{}\n{}\n{}", model.hash, recipe.name, kQuantizerVersion));
}

/// A synthetic model's weights are made in the recipe's encodings: nothing to convert, nothing to keep.
Artifact artifact_in_memory(const Model& model, const Recipe& recipe) {
  Artifact artifact{.folder = {},
                    .recipe = recipe.name,
                    .source_hash = model.hash,
                    .hash = hash_text(model.name + "\n" + model.hash + "\n" + recipe.name),
                    .tool_version = PHISCOPE_VERSION,
                    .tensors = {},
                    .plan = model.plan,
                    .weights = model.weights};
  for (size_t i = 0; i < model.plan->tensors.size(); ++i) {
    const PlanTensor& planned = model.plan->tensors[i];
    ArtifactTensor tensor{.name = planned.name, .encoding = model.weights->encoding(static_cast<int>(i)), .error = {}, .from_source = true};
    tensor.rows = planned.rows;
    tensor.columns = planned.columns;
    tensor.bytes = tensor.encoding.bytes(planned.rows, planned.columns);
    artifact.tensors.push_back(std::move(tensor));
  }
  artifact.bits_per_weight = bits_per_weight(artifact.tensors);
  artifact.file_bytes = deployed_bytes(artifact.tensors, *model.plan);
  return artifact;
}

/// The newest entry is the one used last.
void mark_used(const std::filesystem::path& folder) {
  std::error_code ignored;  // a cache that cannot be written is as good to read
  std::filesystem::last_write_time(folder, std::filesystem::file_time_type::clock::now(), ignored);
}

int64_t unix_ms_of(const std::filesystem::path& path) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(path, error);
  if (error) return 0;
  const auto system = std::chrono::file_clock::to_sys(time);
  return std::chrono::duration_cast<std::chrono::milliseconds>(system.time_since_epoch()).count();
}

uint64_t bytes_of(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_regular_file(std::filesystem::symlink_status(path, error))) return std::filesystem::file_size(path, error);
  uint64_t total = 0;
  std::filesystem::recursive_directory_iterator entries(path, error);
  for (; !error && entries != std::filesystem::recursive_directory_iterator(); entries.increment(error)) {
    std::error_code size_error;
    if (entries->is_regular_file(size_error)) total += entries->file_size(size_error);
  }
  return total;
}

CacheEntry describe(std::string_view kind, const std::filesystem::path& path) {
  CacheEntry entry{.kind = std::string(kind), .name = path.filename().string(), .path = path, .bytes = bytes_of(path)};
  entry.used_unix_ms = unix_ms_of(path);
  if (kind != "artifact") return entry;
  if (const auto manifest = read_manifest(path)) entry.name = fmt::format("{} {}", manifest->model_name, manifest->recipe);
  return entry;
}

}  // namespace

namespace {

Result<Artifact> cached_weights(const Model& model, const Recipe& recipe, const std::filesystem::path& cache_folder,
                                const ConvertOptions& options, bool* made) {
  const std::filesystem::path folder = artifact_folder(model, recipe, cache_folder);
  if (is_artifact(folder)) {
    auto found = open_artifact(folder, &model);
    if (found) {
      mark_used(folder);
      return found;
    }
    log::warning("a cached artifact is damaged and is made again: {}", found.error().message);
  }
  auto artifact = make_artifact(model, recipe, folder, options);
  if (artifact) {
    *made = true;
    return artifact;
  }
  // Somebody else may have put the same artifact into place meanwhile.
  if (artifact.error().code == ErrorCode::io && is_artifact(folder))
    if (auto found = open_artifact(folder, &model)) return found;
  return artifact;
}

}  // namespace

Result<Artifact> cached_artifact(const Model& model, const Recipe& recipe, const std::filesystem::path& cache_folder,
                                 const ConvertOptions& options, bool* made) {
  bool ignored = false;
  bool& was_made = made != nullptr ? *made : ignored;
  was_made = false;
  if (model.folder.empty()) return artifact_in_memory(model, recipe);
  PHISCOPE_ASSIGN(Artifact artifact, cached_weights(model, weights_recipe(recipe), cache_folder, options, &was_made));
  if (artifact.recipe == recipe.name) return artifact;
  artifact.recipe = recipe.name;
  artifact.hash = hash_text(artifact.hash + recipe.name);  // the artifact is another one; its weights' own hash stays
  return artifact;
}

Result<std::vector<CacheEntry>> list_cache(const std::filesystem::path& cache_folder) {
  std::vector<CacheEntry> entries;
  for (const KindRow& row : kKinds) {
    std::error_code error;
    const std::filesystem::path folder = cache_folder / row.folder;
    if (!std::filesystem::exists(folder, error)) continue;
    std::filesystem::directory_iterator items(folder, error);
    for (; !error && items != std::filesystem::directory_iterator(); items.increment(error)) entries.push_back(describe(row.kind, items->path()));
    if (error) return fail(ErrorCode::io, "{}: cannot be listed ({})", folder.string(), error.message());
  }
  std::ranges::sort(entries, [](const CacheEntry& a, const CacheEntry& b) { return std::tie(b.used_unix_ms, a.name) < std::tie(a.used_unix_ms, b.name); });
  return entries;
}

Result<uint64_t> clear_cache(const std::filesystem::path& cache_folder) {
  PHISCOPE_ASSIGN(const std::vector<CacheEntry> entries, list_cache(cache_folder));
  uint64_t freed = 0;
  for (const CacheEntry& entry : entries) {
    std::error_code error;
    std::filesystem::remove_all(entry.path, error);
    if (error) return fail(ErrorCode::io, "{}: cannot be removed ({})", entry.path.string(), error.message());
    freed += entry.bytes;
  }
  return freed;
}

}  // namespace phiscope
