// open_artifact: manifest, files and shapes are checked before anything is used.

#include <algorithm>
#include <limits>

#include "core/convert/artifact_layout.h"
#include "core/convert/manifest.h"
#include "core/format/gguf.h"

namespace phiscope {
namespace {

/// The parts of one tensor in weights.safetensors; null entries where it has none.
struct Parts {
  const TensorEntry* codes = nullptr;
  const TensorEntry* scales = nullptr;
  const TensorEntry* zero_points = nullptr;
};

/// Tensors of the artifact's own file, the rest from the source. Thread-safe.
class ArtifactWeights : public WeightSource {
 public:
  ArtifactWeights(std::vector<ArtifactTensor> tensors, std::vector<Parts> parts, std::shared_ptr<const TensorFiles> files,
                  std::shared_ptr<const WeightSource> source, std::string hash)
      : tensors_(std::move(tensors)), parts_(std::move(parts)), files_(std::move(files)), source_(std::move(source)), hash_(std::move(hash)) {}

  Result<Weight> tensor(int index) const override {
    const ArtifactTensor& tensor = tensors_[static_cast<size_t>(index)];
    if (tensor.from_source) return source_->tensor(index);
    const Parts& parts = parts_[static_cast<size_t>(index)];
    WeightView view{.encoding = tensor.encoding, .rows = tensor.rows, .columns = tensor.columns, .codes = parts.codes->view.data};
    if (parts.scales != nullptr) view.scales = parts.scales->view.data;
    if (parts.zero_points != nullptr) view.zero_points = reinterpret_cast<const uint8_t*>(parts.zero_points->view.data);
    return Weight{view, files_};
  }
  WeightEncoding encoding(int index) const override { return tensors_[static_cast<size_t>(index)].encoding; }
  void release(int index) const override {
    if (tensors_[static_cast<size_t>(index)].from_source) return source_->release(index);
    const Parts& parts = parts_[static_cast<size_t>(index)];
    for (const TensorEntry* entry : {parts.codes, parts.scales, parts.zero_points})
      if (entry != nullptr) files_->files()[static_cast<size_t>(entry->file)]->drop(entry->offset, entry->view.bytes());
  }
  std::string hash() const override { return hash_; }

 private:
  std::vector<ArtifactTensor> tensors_;
  std::vector<Parts> parts_;
  std::shared_ptr<const TensorFiles> files_;
  std::shared_ptr<const WeightSource> source_;
  std::string hash_;
};

Result<const TensorEntry*> find_item(const TensorFiles& files, const SafetensorsWriter::Item& item, const std::filesystem::path& path) {
  const TensorEntry* entry = files.find(item.name);
  if (entry == nullptr) return fail(ErrorCode::invalid_file, "{}: tensor '{}' is missing", path.string(), item.name);
  if (entry->view.dtype != item.dtype || entry->view.shape != item.shape)
    return fail(ErrorCode::invalid_file, "{}: tensor '{}' is {} {}, the manifest says {} {}", path.string(), item.name,
                dtype_name(entry->view.dtype), shape_text(entry->view.shape), dtype_name(item.dtype), shape_text(item.shape));
  if (reinterpret_cast<uintptr_t>(entry->view.data) % dtype_bytes(item.dtype) != 0)
    return fail(ErrorCode::invalid_file, "{}: tensor '{}' begins at byte {}, which is not a multiple of its element size", path.string(),
                item.name, entry->offset);
  return entry;
}

Result<Parts> find_parts(const TensorFiles& files, const ArtifactTensor& tensor, const std::filesystem::path& path) {
  Parts parts;
  const TensorEntry** const places[] = {&parts.codes, &parts.scales, &parts.zero_points};
  size_t place = 0;
  for (const SafetensorsWriter::Item& item : tensor_items(tensor)) {
    PHISCOPE_ASSIGN(*places[place++], find_item(files, item, path));
  }
  return parts;
}

/// The manifest and the plan must speak of the same matrices.
Status check_tensors(const Manifest& manifest, const Plan& plan, const std::filesystem::path& folder) {
  const std::string where = (folder / kManifestName).string();
  if (manifest.tensors.size() != plan.tensors.size())
    return fail(ErrorCode::invalid_file, "{}: lists {} tensors, its config.json needs {}", where, manifest.tensors.size(), plan.tensors.size());
  for (size_t i = 0; i < plan.tensors.size(); ++i) {
    const ArtifactTensor& found = manifest.tensors[i];
    const PlanTensor& expected = plan.tensors[i];
    if (found.name != expected.name || found.rows != expected.rows || found.columns != expected.columns)
      return fail(ErrorCode::invalid_file, "{}: tensor {} is '{}' [{}, {}], its config.json needs '{}' [{}, {}]", where, i, found.name,
                  found.rows, found.columns, expected.name, expected.rows, expected.columns);
  }
  return {};
}

Result<std::shared_ptr<const Plan>> plan_of_folder(const std::filesystem::path& folder, const Manifest& manifest, const TensorFiles& files) {
  PHISCOPE_ASSIGN(const ModelConfig config, load_config(folder));
  PHISCOPE_ASSIGN(Plan plan, lower(config));
  plan.name = manifest.model_name;
  for (PlanVector& vector : plan.vectors) {
    const SafetensorsWriter::Item item{vector.name, DType::f32, {static_cast<int64_t>(vector.values.size())}};
    PHISCOPE_ASSIGN(const TensorEntry* entry, find_item(files, item, folder / kWeightsName));
    widen_to_f32(entry->view, 0, entry->view.elements(), vector.values.data());
  }
  return std::make_shared<const Plan>(std::move(plan));
}

/// Says which of the source's files is another than when the artifact was made.
Error changed_source(const Manifest& manifest, const std::filesystem::path& folder, const std::filesystem::path& source) {
  std::string reason = "it is another model";
  for (const FileRecord& file : manifest.source_files) {
    const Status status = check_fingerprint(is_gguf(source) ? source.parent_path() : source, file);
    if (!status) {
      reason = status.error().message;
      break;
    }
  }
  return {ErrorCode::invalid_file, fmt::format("{}: its source {} has changed since it was made ({}); quantize the model again",
                                               folder.string(), source.string(), reason)};
}

Result<Model> load_source(const Manifest& manifest, const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::path source = folder / manifest.source_relative_path;
  if (manifest.source_relative_path.empty() || !std::filesystem::exists(source, error)) source = manifest.source_path;
  if (!std::filesystem::exists(source, error))
    return fail(ErrorCode::not_found, "{}: reads tensors from {}, which does not exist; bring it back or quantize the model again",
                folder.string(), manifest.source_path);
  auto model = load_model(source);
  if (!model) return fail(changed_source(manifest, folder, source));
  if (model->hash != manifest.source_hash) return fail(changed_source(manifest, folder, source));
  return model;
}

}  // namespace

bool is_artifact(const std::filesystem::path& folder) {
  std::error_code error;
  return std::filesystem::is_regular_file(folder / kManifestName, error);
}

Result<Artifact> open_artifact(const std::filesystem::path& folder, const Model* model) {
  PHISCOPE_ASSIGN(Manifest manifest, read_manifest(folder));
  for (const FileRecord& file : manifest.files) PHISCOPE_TRY(check_fingerprint(folder, file));
  const bool has_file = std::ranges::any_of(manifest.files, [](const FileRecord& file) { return file.name == kWeightsName; });
  std::shared_ptr<const TensorFiles> files;
  if (has_file) {
    PHISCOPE_ASSIGN(files, TensorFiles::open_file(folder / kWeightsName));
  }
  Model source;
  if (model != nullptr) {
    if (model->hash != manifest.source_hash) return fail(changed_source(manifest, folder, model->folder));
    source = *model;
  } else if (manifest.needs_source() || !has_file) {
    PHISCOPE_ASSIGN(source, load_source(manifest, folder));
  } else {
    PHISCOPE_ASSIGN(source.plan, plan_of_folder(folder, manifest, *files));
  }
  PHISCOPE_TRY(check_tensors(manifest, *source.plan, folder));
  std::vector<Parts> parts(manifest.tensors.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    const ArtifactTensor& tensor = manifest.tensors[i];
    if (tensor.from_source && !same_encoding(source.weights->encoding(static_cast<int>(i)), tensor.encoding))
      return fail(ErrorCode::invalid_file, "{}: tensor '{}' is not stored as {} in the source", folder.string(), tensor.name, tensor.encoding.name());
    if (tensor.from_source) continue;
    if (!has_file) return fail(ErrorCode::invalid_file, "{}: {} is missing", folder.string(), kWeightsName);
    PHISCOPE_ASSIGN(parts[i], find_parts(*files, tensor, folder / kWeightsName));
  }
  Artifact artifact{.folder = folder,
                    .recipe = manifest.recipe,
                    .source_hash = manifest.source_hash,
                    .hash = manifest.hash(),
                    .tool_version = manifest.tool_version,
                    .tensors = manifest.tensors,
                    .file_bytes = manifest.file_bytes,
                    .bits_per_weight = manifest.bits_per_weight,
                    .plan = source.plan,
                    .weights = nullptr};
  artifact.weights = std::make_shared<ArtifactWeights>(std::move(manifest.tensors), std::move(parts), files, source.weights, artifact.hash);
  return artifact;
}

Result<Model> model_of_artifact(const Artifact& artifact) {
  Model model;
  PHISCOPE_ASSIGN(model.config, load_config(artifact.folder));
  model.name = artifact.folder.filename().string();
  model.folder = artifact.folder;
  model.plan = artifact.plan;
  model.weights = artifact.weights;
  model.hash = artifact.hash;
  return model;
}

}  // namespace phiscope
