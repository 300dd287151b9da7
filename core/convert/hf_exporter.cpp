// A model as a Hugging Face folder: safetensors under the publisher's names, config, tokenizer.

#include <algorithm>

#include "core/base/hash.h"
#include "core/base/platform/platform.h"
#include "core/convert/artifact_layout.h"
#include "core/convert/exporter.h"
#include "core/convert/fingerprint.h"
#include "core/convert/folder_build.h"
#include "core/convert/matrix_writer.h"
#include "core/tokenizer/gguf_tokenizer.h"

namespace phiscope {
namespace {

constexpr uint64_t kShardBytes = 5'000'000'000;  // as transformers' save_pretrained

/// A matrix or a vector of the plan, and the file that holds it.
struct Content {
  SafetensorsWriter::Item item;
  int matrix = -1;
  std::span<const float> values;  // of a vector
  uint64_t bytes = 0;
  size_t shard = 0;
};

class Exporter {
 public:
  Exporter(const Model& model, const ExportRequest& request)
      : model_(model), request_(request), plan_(*model.plan),
        writer_(request.recipe.method, request.options.threads > 0 ? request.options.threads : platform::cpu_info().usable_cores) {}

  Result<ExportResult> run(const std::filesystem::path& folder);

 private:
  void add_matrices();
  void add_vectors();
  void cut_shards();
  std::string shard_name(size_t shard) const;
  Status write_shards(const std::filesystem::path& folder);
  Status write_content(const Content& content, SafetensorsWriter& file);
  Status write_index(const std::filesystem::path& folder) const;
  Result<Json> made_config() const;
  Result<Json> config() const;
  Status report(const ArtifactTensor& tensor, int64_t rows);

  const Model& model_;
  const ExportRequest& request_;
  const Plan& plan_;
  MatrixWriter writer_;
  std::vector<Content> contents_;
  std::vector<MatrixTarget> targets_;  // by matrix
  size_t shards_ = 1;
  DType dtype_ = DType::f32;  // that holds every tensor exactly
  ExportResult result_;
  double done_elements_ = 0, all_elements_ = 0;
};

void Exporter::add_matrices() {
  bool has[3] = {};  // f32, f16, bf16
  for (size_t i = 0; i < plan_.tensors.size(); ++i) {
    const PlanTensor& planned = plan_.tensors[i];
    const WeightRule& rule = request_.recipe.rule_for(planned.tensor_class, planned.name);
    const WeightEncoding values = rule.keep_source ? model_.weights->encoding(static_cast<int>(i)) : rule.encoding;
    // Codes times scales have more digits than 16-bit floats.
    const WeightEncoding layout = values.is_floating() ? values : WeightEncoding{.float_type = DType::f32};
    targets_.push_back({values, layout});
    has[layout.float_type == DType::f32 ? 0 : layout.float_type == DType::f16 ? 1 : 2] = true;
    const uint64_t bytes = layout.bytes(planned.rows, planned.columns);
    result_.tensors.push_back({.name = planned.name, .encoding = layout, .error = {}, .bytes = bytes, .rows = planned.rows, .columns = planned.columns});
    contents_.push_back({{planned.name, layout.float_type, {planned.rows, planned.columns}}, static_cast<int>(i), {}, bytes});
    all_elements_ += static_cast<double>(planned.rows) * static_cast<double>(planned.columns);
  }
  dtype_ = has[0] || (has[1] && has[2]) ? DType::f32 : has[1] ? DType::f16 : DType::bf16;
}

/// True when 16 bits hold every value.
bool is_exact(std::span<const float> values, DType type) {
  return std::ranges::all_of(values, [type](float value) {
    return value == (type == DType::f16 ? f16_to_f32(f32_to_f16(value)) : type == DType::bf16 ? bf16_to_f32(f32_to_bf16(value)) : value);
  });
}

void Exporter::add_vectors() {
  if (!std::ranges::all_of(plan_.vectors, [this](const PlanVector& vector) { return is_exact(vector.values, dtype_); })) dtype_ = DType::f32;
  for (const PlanVector& vector : plan_.vectors) {
    const auto count = static_cast<int64_t>(vector.values.size());
    contents_.push_back({{vector.name, dtype_, {count}}, -1, vector.values, static_cast<uint64_t>(count) * dtype_bytes(dtype_)});
  }
}

void Exporter::cut_shards() {
  uint64_t bytes = 0;
  size_t shard = 0;
  for (Content& content : contents_) {
    if (bytes > 0 && bytes + content.bytes > kShardBytes) {
      ++shard;
      bytes = 0;
    }
    bytes += content.bytes;
    content.shard = shard;
  }
  shards_ = shard + 1;
}

std::string Exporter::shard_name(size_t shard) const {
  return shards_ == 1 ? "model.safetensors" : fmt::format("model-{:05}-of-{:05}.safetensors", shard + 1, shards_);
}

Status Exporter::report(const ArtifactTensor& tensor, int64_t rows) {
  done_elements_ += static_cast<double>(rows) * static_cast<double>(tensor.columns);
  const auto& on_progress = request_.options.on_progress;
  if (!on_progress || on_progress(done_elements_ / all_elements_, tensor.name)) return {};
  return fail(ErrorCode::cancelled, "export stopped at tensor '{}'; nothing was kept", tensor.name);
}

Status Exporter::write_content(const Content& content, SafetensorsWriter& file) {
  if (content.matrix < 0) {
    std::vector<std::byte> bytes(content.bytes);
    narrow_from_f32(content.values.data(), static_cast<int64_t>(content.values.size()), content.item.dtype, bytes.data());
    return file.write(bytes);
  }
  ArtifactTensor& tensor = result_.tensors[static_cast<size_t>(content.matrix)];
  PHISCOPE_ASSIGN(Weight weight, model_.weights->tensor(content.matrix));
  auto sums = writer_.write(std::move(weight), targets_[static_cast<size_t>(content.matrix)],
                            [&file](std::span<const std::byte> bytes) { return file.write(bytes); }, [&](int64_t rows) { return report(tensor, rows); });
  model_.weights->release(content.matrix);
  if (!sums) {
    const bool is_ours = sums.error().code == ErrorCode::cancelled || sums.error().code == ErrorCode::io;
    return fail(is_ours ? sums.error() : sums.error().with_context(fmt::format("{}: tensor '{}'", model_.name, tensor.name)));
  }
  tensor.error = sums->finish();
  return {};
}

Status Exporter::write_shards(const std::filesystem::path& folder) {
  Hasher hasher;
  for (size_t shard = 0; shard < shards_; ++shard) {
    std::vector<SafetensorsWriter::Item> items;
    for (const Content& content : contents_)
      if (content.shard == shard) items.push_back(content.item);
    PHISCOPE_ASSIGN(const auto file, SafetensorsWriter::create(folder / shard_name(shard), std::move(items), {{"format", "pt"}}));
    for (const Content& content : contents_)
      if (content.shard == shard) PHISCOPE_TRY(write_content(content, *file));
    PHISCOPE_TRY(file->commit());
    PHISCOPE_ASSIGN(const FileRecord record, fingerprint_file(folder, shard_name(shard)));
    hasher.update(std::string_view(record.hash));
    result_.bytes += record.bytes;
  }
  result_.hash = hasher.hex();
  return shards_ == 1 ? Status{} : write_index(folder);
}

Status Exporter::write_index(const std::filesystem::path& folder) const {
  Json map = Json::object();
  uint64_t total = 0;
  for (const Content& content : contents_) {
    map.get_ref<Json::object_t&>().push_back({content.item.name, shard_name(content.shard)});
    total += content.bytes;
  }
  return write_file(folder / "model.safetensors.index.json", Json{{"metadata", {{"total_size", total}}}, {"weight_map", map}}.dump(2) + "\n");
}

std::string_view torch_name(DType type) { return type == DType::f16 ? "float16" : type == DType::bf16 ? "bfloat16" : "float32"; }

/// For a model that came without config.json.
Result<Json> Exporter::made_config() const {
  Json config = to_json(model_.config);
  if (!config.contains("model_type"))
    return fail(ErrorCode::unsupported, "{}: came without config.json, and none can be made for '{}' models", model_.name, model_.config.architecture);
  config["torch_dtype"] = torch_name(dtype_);
  // The classes' defaults are ids of the published models, which a smaller vocabulary does not have.
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) config[key] = Json();
  return config;
}

/// The publisher's, with the type of what was written; without the parts that are not there.
Result<Json> Exporter::config() const {
  std::error_code error;
  if (model_.folder.empty() || !std::filesystem::is_regular_file(model_.folder / "config.json", error)) return made_config();
  PHISCOPE_ASSIGN(Json config, read_json_file(model_.folder / "config.json"));
  if (json_string_or(config, "model_type", "") != model_.config.architecture) {
    // Of another class (the whole of a multimodal model, early names), while the tensors have this one's names.
    PHISCOPE_ASSIGN(Json own, made_config());
    for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"})
      if (config.contains(key)) own[key] = config[key];
    return own;
  }
  config[config.contains("dtype") ? "dtype" : "torch_dtype"] = torch_name(dtype_);
  config.erase("auto_map");  // names code files, and transformers has the class itself
  return config;
}

Result<ExportResult> Exporter::run(const std::filesystem::path& folder) {
  if (model_.config.separate_qkv)
    return fail(ErrorCode::unsupported, "{}: its file holds query, key and value apart, which the class of transformers does not", model_.name);
  add_matrices();
  add_vectors();
  cut_shards();
  PHISCOPE_ASSIGN(const Json config_document, config());
  std::vector<std::string> names;
  if (!model_.folder.empty()) {
    PHISCOPE_ASSIGN(names, copy_companions(model_.folder, folder));
  }
  const bool has_tokenizer = std::ranges::any_of(names, [](const std::string& name) { return name.starts_with("tokenizer.") || name.ends_with(".tiktoken"); });
  if (!has_tokenizer || names.back() == kGgufVocabularyName)
    result_.notices.emplace_back("no tokenizer files came with the model: for text, transformers needs the publisher's beside the weights");
  PHISCOPE_TRY(write_file(folder / "config.json", config_document.dump(2) + "\n"));
  PHISCOPE_TRY(write_shards(folder));
  result_.path = request_.target;
  result_.recipe = request_.recipe.name;
  result_.bits_per_weight = bits_per_weight(result_.tensors);
  return std::move(result_);
}

/// Replaces nothing: --out with a mistyped path must not remove somebody's files.
Status check_target(const std::filesystem::path& target) {
  std::error_code error;
  if (!std::filesystem::exists(target, error)) return {};
  if (!std::filesystem::is_directory(target, error)) return fail(ErrorCode::invalid_argument, "{}: is a file; name a folder", target.string());
  if (std::filesystem::is_empty(target, error)) return {};
  return fail(ErrorCode::invalid_argument, "{}: exists and is not empty; name a new folder", target.string());
}

}  // namespace

Result<ExportResult> export_hf(const Model& model, const ExportRequest& request, std::string_view /*format*/) {
  PHISCOPE_TRY(check_target(request.target));
  std::error_code error;
  if (request.target.has_parent_path()) std::filesystem::create_directories(request.target.parent_path(), error);
  PHISCOPE_ASSIGN(FolderBuild build, FolderBuild::beside(request.target));
  PHISCOPE_ASSIGN(ExportResult result, Exporter(model, request).run(build.path()));
  PHISCOPE_TRY(build.move_to(request.target));
  return result;
}

}  // namespace phiscope
