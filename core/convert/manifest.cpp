#include "core/convert/manifest.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/base/hash.h"

namespace phiscope {
namespace {

constexpr std::string_view kSchema = "phiscope/artifact/1";
constexpr uint64_t kManifestLimitBytes = uint64_t{64} << 20;
constexpr int64_t kMaxDimension = int64_t{1} << 32;

// Types that an encoding may name.
constexpr std::array kTypes{DType::f32, DType::f16, DType::bf16};

Json to_json(const WeightEncoding& encoding) {
  if (!encoding.is_integer()) return {{"type", encoding.name()}};
  return {{"type", encoding.bits == 4 ? "int4" : "int8"},
          {"group", encoding.group},
          {"offset", encoding.offset == OffsetClass::symmetric ? "symmetric" : "zero_point"},
          {"scale_type", dtype_name(encoding.scale_type)}};
}

std::optional<DType> type_from_name(std::string_view name) {
  for (const DType type : kTypes)
    if (dtype_name(type) == name) return type;
  return std::nullopt;
}

Result<WeightEncoding> encoding_from_json(const Json& json, std::string_view where) {
  PHISCOPE_ASSIGN(const std::string type, json_string(json, "type", where));
  if (const auto float_type = type_from_name(type)) return WeightEncoding{.float_type = *float_type};
  if (const BlockType block = block_type_from_name(type); block != BlockType::none) return WeightEncoding{.block = block};
  if (type != "int4" && type != "int8") return fail(ErrorCode::invalid_file, "{}: encoding type '{}' is unknown", where, type);
  WeightEncoding encoding{.bits = type == "int4" ? 4 : 8};
  PHISCOPE_ASSIGN(const int64_t group, json_int(json, "group", where, 0, 256));
  if (group % 16 != 0) return fail(ErrorCode::invalid_file, "{}: group {} is not a multiple of 16", where, group);
  encoding.group = static_cast<int>(group);
  PHISCOPE_ASSIGN(const std::string offset, json_string(json, "offset", where));
  if (offset != "symmetric" && offset != "zero_point") return fail(ErrorCode::invalid_file, "{}: offset '{}' is unknown", where, offset);
  encoding.offset = offset == "symmetric" ? OffsetClass::symmetric : OffsetClass::zero_point;
  PHISCOPE_ASSIGN(const std::string scale_type, json_string(json, "scale_type", where));
  const auto scale = type_from_name(scale_type);
  if (!scale || *scale == DType::bf16) return fail(ErrorCode::invalid_file, "{}: scale type '{}' is unknown", where, scale_type);
  encoding.scale_type = *scale;
  return encoding;
}

Json to_json(const ArtifactTensor& tensor) {
  const bool is_exact = std::isinf(tensor.error.sqnr_db);
  return {{"name", tensor.name},
          {"rows", tensor.rows},
          {"columns", tensor.columns},
          {"format", tensor.encoding.name()},
          {"encoding", to_json(tensor.encoding)},
          {"bytes", tensor.bytes},
          {"from_source", tensor.from_source},
          {"mse", tensor.error.mse},
          {"sqnr_db", is_exact ? Json(nullptr) : Json(tensor.error.sqnr_db)},
          {"max_abs_error", tensor.error.max_abs_error}};
}

Result<ArtifactTensor> tensor_from_json(const Json& json, std::string_view manifest) {
  ArtifactTensor tensor;
  PHISCOPE_ASSIGN(tensor.name, json_string(json, "name", manifest));
  const std::string where = fmt::format("{}: tensor '{}'", manifest, tensor.name);
  PHISCOPE_ASSIGN(tensor.rows, json_int(json, "rows", where, 1, kMaxDimension));
  PHISCOPE_ASSIGN(tensor.columns, json_int(json, "columns", where, 1, kMaxDimension));
  const auto encoding = json.find("encoding");
  if (encoding == json.end()) return fail(ErrorCode::invalid_file, "{}: key 'encoding' is missing", where);
  PHISCOPE_ASSIGN(tensor.encoding, encoding_from_json(*encoding, where));
  if (tensor.encoding.is_blocks() && tensor.columns % block_layout(tensor.encoding.block).values != 0)
    return fail(ErrorCode::invalid_file, "{}: {} columns are no whole blocks of {}", where, tensor.columns, tensor.encoding.name());
  PHISCOPE_ASSIGN(tensor.from_source, json_bool_or(json, "from_source", false, where));
  PHISCOPE_ASSIGN(tensor.error.mse, json_number(json, "mse", where));
  PHISCOPE_ASSIGN(tensor.error.max_abs_error, json_number(json, "max_abs_error", where));
  const auto sqnr = json.find("sqnr_db");
  const bool is_exact = sqnr == json.end() || sqnr->is_null();
  PHISCOPE_ASSIGN(tensor.error.sqnr_db, is_exact ? Result<double>(std::numeric_limits<double>::infinity()) : json_number(json, "sqnr_db", where));
  tensor.bytes = tensor.encoding.bytes(tensor.rows, tensor.columns);
  return tensor;
}

Json to_json(const std::vector<FileRecord>& files) {
  Json list = Json::array();
  for (const FileRecord& file : files) list.push_back({{"name", file.name}, {"bytes", file.bytes}, {"hash", file.hash}});
  return list;
}

Result<std::vector<FileRecord>> files_from_json(const Json& json, std::string_view key, std::string_view where) {
  std::vector<FileRecord> files;
  const auto list = json.find(key);
  if (list == json.end() || !list->is_array()) return fail(ErrorCode::invalid_file, "{}: '{}' must be a list", where, key);
  for (const Json& item : *list) {
    FileRecord file;
    PHISCOPE_ASSIGN(file.name, json_string(item, "name", where));
    // A manifest from a stranger must not make us read elsewhere.
    const std::filesystem::path name(file.name);
    if (name.has_parent_path() || name.empty() || file.name == "..")
      return fail(ErrorCode::invalid_file, "{}: file name '{}' in '{}' must be a plain name", where, file.name, key);
    PHISCOPE_ASSIGN(const int64_t bytes, json_int(item, "bytes", where, 0, std::numeric_limits<int64_t>::max()));
    file.bytes = static_cast<uint64_t>(bytes);
    PHISCOPE_ASSIGN(file.hash, json_string(item, "hash", where));
    files.push_back(std::move(file));
  }
  return files;
}

Status read_source(const Json& json, Manifest& manifest, std::string_view where) {
  const auto source = json.find("source");
  if (source == json.end() || !source->is_object()) return fail(ErrorCode::invalid_file, "{}: key 'source' is missing", where);
  PHISCOPE_ASSIGN(manifest.source_hash, json_string(*source, "hash", where));
  manifest.source_path = json_string_or(*source, "path", "");
  manifest.source_relative_path = json_string_or(*source, "relative_path", "");
  PHISCOPE_ASSIGN(manifest.source_files, files_from_json(*source, "files", where));
  return {};
}

Status check_schema(const Json& json, std::string_view where) {
  PHISCOPE_ASSIGN(const std::string schema, json_string(json, "schema", where));
  if (schema == kSchema) return {};
  return fail(ErrorCode::unsupported, "{}: schema '{}' cannot be read by this version, which reads '{}'; quantize the model again", where,
              schema, kSchema);
}

}  // namespace

bool Manifest::needs_source() const {
  return std::ranges::any_of(tensors, [](const ArtifactTensor& tensor) { return tensor.from_source; });
}

std::string Manifest::hash() const {
  std::string text = fmt::format("{}\n{}\n{}\n{}\n", kSchema, recipe, source_hash, content_hash);
  for (const ArtifactTensor& tensor : tensors)
    text += fmt::format("{} {}x{} {} {}\n", tensor.name, tensor.rows, tensor.columns, tensor.encoding.name(), tensor.from_source);
  return hash_text(text);
}

Json to_json(const Manifest& manifest) {
  Json tensors = Json::array();
  for (const ArtifactTensor& tensor : manifest.tensors) tensors.push_back(to_json(tensor));
  return {{"schema", kSchema},
          {"tool_version", manifest.tool_version},
          {"model", manifest.model_name},
          {"recipe", manifest.recipe},
          {"hash", manifest.hash()},
          {"content_hash", manifest.content_hash},
          {"bits_per_weight", manifest.bits_per_weight},
          {"file_bytes", manifest.file_bytes},
          {"source",
           {{"hash", manifest.source_hash},
            {"path", manifest.source_path},
            {"relative_path", manifest.source_relative_path},
            {"files", to_json(manifest.source_files)}}},
          {"files", to_json(manifest.files)},
          {"tensors", tensors}};
}

Result<Manifest> read_manifest(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kManifestName;
  const std::string where = path.string();
  PHISCOPE_ASSIGN(const Json json, read_json_file(path, kManifestLimitBytes));
  PHISCOPE_TRY(check_schema(json, where));
  Manifest manifest;
  PHISCOPE_ASSIGN(manifest.tool_version, json_string(json, "tool_version", where));
  PHISCOPE_ASSIGN(manifest.model_name, json_string(json, "model", where));
  PHISCOPE_ASSIGN(manifest.recipe, json_string(json, "recipe", where));
  PHISCOPE_ASSIGN(manifest.content_hash, json_string(json, "content_hash", where));
  PHISCOPE_ASSIGN(manifest.bits_per_weight, json_number(json, "bits_per_weight", where));
  PHISCOPE_ASSIGN(const int64_t file_bytes, json_int(json, "file_bytes", where, 0, std::numeric_limits<int64_t>::max()));
  manifest.file_bytes = static_cast<uint64_t>(file_bytes);
  PHISCOPE_TRY(read_source(json, manifest, where));
  PHISCOPE_ASSIGN(manifest.files, files_from_json(json, "files", where));
  const auto tensors = json.find("tensors");
  if (tensors == json.end() || !tensors->is_array()) return fail(ErrorCode::invalid_file, "{}: 'tensors' must be a list", where);
  for (const Json& item : *tensors) {
    PHISCOPE_ASSIGN(ArtifactTensor tensor, tensor_from_json(item, where));
    manifest.tensors.push_back(std::move(tensor));
  }
  PHISCOPE_ASSIGN(const std::string hash, json_string(json, "hash", where));
  if (hash != manifest.hash()) return fail(ErrorCode::invalid_file, "{}: its hash does not fit its content; quantize the model again", where);
  return manifest;
}

}  // namespace phiscope
