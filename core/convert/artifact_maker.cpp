// make_artifact: tensor by tensor, in pieces of rows, into a folder beside the target.

#include <algorithm>
#include <array>
#include <limits>

#include "core/base/platform/platform.h"
#include "core/convert/artifact_layout.h"
#include "core/convert/exporter.h"
#include "core/convert/folder_build.h"
#include "core/convert/manifest.h"
#include "core/convert/source_rows.h"
#include "core/convert/weights_file.h"
#include "core/format/gguf.h"
#include "core/tokenizer/gguf_tokenizer.h"

namespace phiscope {
namespace {

class Maker {
 public:
  Maker(const Model& model, const Recipe& recipe, const ConvertOptions& options)
      : model_(model), recipe_(recipe), options_(options),
        threads_(options.threads > 0 ? options.threads : platform::cpu_info().usable_cores) {}

  Result<Manifest> make(const std::filesystem::path& folder, const std::filesystem::path& target);

 private:
  void choose_encodings();
  Status write_weights(const std::filesystem::path& folder);
  Status write_vectors();
  Status encode_tensor(int index);
  Status encode_rows(SourceRows& source, ArtifactTensor& tensor);
  Status copy_codes(const WeightView& view, const ArtifactTensor& tensor);
  Status copy_companions(const std::filesystem::path& folder);
  Status write_gguf_companions(const std::filesystem::path& folder);
  Status describe_source(const std::filesystem::path& target);
  Status report(const ArtifactTensor& tensor, int64_t rows);

  const Model& model_;
  const Recipe& recipe_;
  const ConvertOptions& options_;
  const int threads_;
  Manifest manifest_;
  std::unique_ptr<WeightsFile> file_;  // null when every tensor is the source's
  double done_elements_ = 0, all_elements_ = 0;
  std::vector<std::byte> codes_;   // of one piece
  std::vector<std::byte> scales_;  // of the whole tensor, as zero_points_: the file has them after all the codes
  std::vector<uint8_t> zero_points_;
};

/// A tensor is read from the source when the recipe leaves its type alone. A recipe with integers copies such tensors too: its folder is
/// what gets deployed, so it stands alone.
void Maker::choose_encodings() {
  bool has_integers = false;
  for (size_t i = 0; i < model_.plan->tensors.size(); ++i) {
    const PlanTensor& planned = model_.plan->tensors[i];
    const WeightRule& rule = recipe_.rule_for(planned.tensor_class, planned.name);
    const WeightEncoding source = model_.weights->encoding(static_cast<int>(i));
    ArtifactTensor tensor{.name = planned.name, .encoding = rule.keep_source ? source : rule.encoding, .error = {}};
    tensor.rows = planned.rows;
    tensor.columns = planned.columns;
    tensor.bytes = tensor.encoding.bytes(planned.rows, planned.columns);
    tensor.from_source = model_.files != nullptr && same_encoding(tensor.encoding, source);
    has_integers |= tensor.encoding.is_integer() && !tensor.from_source;
    all_elements_ += static_cast<double>(planned.rows) * static_cast<double>(planned.columns);
    manifest_.tensors.push_back(std::move(tensor));
  }
  if (!has_integers) return;
  for (ArtifactTensor& tensor : manifest_.tensors) tensor.from_source = false;
}

Status Maker::report(const ArtifactTensor& tensor, int64_t rows) {
  done_elements_ += static_cast<double>(rows) * static_cast<double>(tensor.columns);
  if (!options_.on_progress || options_.on_progress(done_elements_ / all_elements_, tensor.name)) return {};
  return fail(ErrorCode::cancelled, "quantization stopped at tensor '{}'; nothing was kept", tensor.name);
}

Status Maker::write_vectors() {
  for (const PlanVector& vector : model_.plan->vectors) PHISCOPE_TRY(file_->write(std::as_bytes(std::span(vector.values))));
  return {};
}

/// Codes go out piece by piece. Tensors of the source are encoded too, to nowhere: that finds NaN and infinity.
Status Maker::encode_rows(SourceRows& source, ArtifactTensor& tensor) {
  const WeightEncoding& encoding = tensor.encoding;
  const int64_t groups = encoding.groups(tensor.columns);
  const auto scale_bytes = groups * static_cast<int64_t>(dtype_bytes(encoding.scale_type));
  const int64_t rows_per_piece = std::clamp<int64_t>(kElementsPerPiece / tensor.columns, 1, tensor.rows);
  const bool has_zero_points = encoding.is_integer() && encoding.offset == OffsetClass::zero_point;
  codes_.resize(static_cast<size_t>(rows_per_piece) * encoding.code_bytes_per_row(tensor.columns));
  scales_.resize(static_cast<size_t>(tensor.rows * scale_bytes));
  zero_points_.resize(has_zero_points ? static_cast<size_t>(tensor.rows * groups) : 0);
  ErrorSums sums;
  for (int64_t first = 0; first < tensor.rows; first += rows_per_piece) {
    const int64_t rows = std::min(rows_per_piece, tensor.rows - first);
    const SourceRows::Piece piece = source.piece(first, rows);
    PHISCOPE_ASSIGN(const ErrorSums piece_sums,
                    quantize_rows(piece.matrix, piece.first_row, rows, encoding, recipe_.method, codes_.data(),
                                  scales_.data() + first * scale_bytes, has_zero_points ? zero_points_.data() + first * groups : nullptr,
                                  threads_));
    sums.add(piece_sums);
    const auto bytes = static_cast<size_t>(rows) * encoding.code_bytes_per_row(tensor.columns);
    if (!tensor.from_source) PHISCOPE_TRY(file_->write(std::span(codes_).first(bytes)));
    PHISCOPE_TRY(report(tensor, rows));
  }
  tensor.error = sums.finish();
  if (!encoding.is_integer() || tensor.from_source) return {};
  PHISCOPE_TRY(file_->write(scales_));
  return has_zero_points ? file_->write(std::as_bytes(std::span(zero_points_))) : Status{};
}

/// The source is encoded already as the recipe wants it.
Status Maker::copy_codes(const WeightView& view, const ArtifactTensor& tensor) {
  const auto rows = static_cast<size_t>(tensor.rows), groups = static_cast<size_t>(view.encoding.groups(tensor.columns));
  if (!tensor.from_source) {
    PHISCOPE_TRY(file_->write({view.codes, rows * view.encoding.code_bytes_per_row(tensor.columns)}));
    if (view.encoding.is_integer()) PHISCOPE_TRY(file_->write({view.scales, rows * groups * dtype_bytes(view.encoding.scale_type)}));
    if (view.zero_points != nullptr) PHISCOPE_TRY(file_->write(std::as_bytes(std::span(view.zero_points, rows * groups))));
  }
  return report(tensor, tensor.rows);
}

Status Maker::encode_tensor(int index) {
  ArtifactTensor& tensor = manifest_.tensors[static_cast<size_t>(index)];
  PHISCOPE_ASSIGN(Weight weight, model_.weights->tensor(index));
  SourceRows source(std::move(weight));
  const bool is_copy = !tensor.encoding.is_floating() && same_encoding(source.view().encoding, tensor.encoding);
  if (is_copy) tensor.error.sqnr_db = std::numeric_limits<double>::infinity();
  const Status done = is_copy ? copy_codes(source.view(), tensor) : encode_rows(source, tensor);
  model_.weights->release(index);
  if (!done && done.error().code != ErrorCode::cancelled && done.error().code != ErrorCode::io)
    return fail(done.error().with_context(fmt::format("{}: tensor '{}'", model_.folder.string(), tensor.name)));
  return done;
}

Status Maker::write_weights(const std::filesystem::path& folder) {
  const bool has_file = !std::ranges::all_of(manifest_.tensors, [](const ArtifactTensor& tensor) { return tensor.from_source; });
  if (has_file) {
    PHISCOPE_ASSIGN(file_, WeightsFile::create(folder / kWeightsName, *model_.plan, manifest_.tensors));
    PHISCOPE_TRY(write_vectors());
  }
  for (size_t i = 0; i < manifest_.tensors.size(); ++i) PHISCOPE_TRY(encode_tensor(static_cast<int>(i)));
  if (!has_file) return {};
  PHISCOPE_ASSIGN(manifest_.content_hash, file_->commit());
  PHISCOPE_ASSIGN(FileRecord record, fingerprint_file(folder, std::string(kWeightsName)));
  manifest_.files.push_back(std::move(record));
  return {};
}

/// A GGUF file's metadata in the words of a folder: config.json, and the vocabulary as it is.
Status Maker::write_gguf_companions(const std::filesystem::path& folder) {
  PHISCOPE_ASSIGN(const auto file, GgufFile::open(model_.folder));
  PHISCOPE_TRY(write_file(folder / "config.json", to_json(model_.config).dump(2) + "\n"));
  PHISCOPE_TRY(write_file(folder / kGgufVocabularyName, gguf_vocabulary(*file)));
  for (const std::string_view name : {std::string_view("config.json"), kGgufVocabularyName}) {
    PHISCOPE_ASSIGN(FileRecord record, fingerprint_file(folder, std::string(name)));
    manifest_.files.push_back(std::move(record));
  }
  return {};
}

Status Maker::copy_companions(const std::filesystem::path& folder) {
  if (is_gguf(model_.folder)) return write_gguf_companions(folder);
  PHISCOPE_ASSIGN(const std::vector<std::string> names, phiscope::copy_companions(model_.folder, folder));
  for (const std::string& name : names) {
    PHISCOPE_ASSIGN(FileRecord record, fingerprint_file(folder, name));
    manifest_.files.push_back(std::move(record));
  }
  return {};
}

Status Maker::describe_source(const std::filesystem::path& target) {
  manifest_.source_hash = model_.hash;
  std::error_code error;
  const std::filesystem::path source = std::filesystem::weakly_canonical(model_.folder, error);
  manifest_.source_path = source.string();
  manifest_.source_relative_path = source.lexically_relative(std::filesystem::weakly_canonical(target, error)).string();
  if (!manifest_.needs_source()) return {};
  const bool is_file = is_gguf(model_.folder);
  std::vector<std::string> names;
  if (!is_file) names.emplace_back("config.json");
  for (const auto& file : model_.files->files()) names.push_back(file->path().filename().string());
  for (const std::string& name : names) {
    PHISCOPE_ASSIGN(FileRecord record, fingerprint_file(is_file ? model_.folder.parent_path() : model_.folder, name));
    manifest_.source_files.push_back(std::move(record));
  }
  return {};
}

Result<Manifest> Maker::make(const std::filesystem::path& folder, const std::filesystem::path& target) {
  manifest_.model_name = model_.name;
  manifest_.recipe = recipe_.name;
  manifest_.tool_version = PHISCOPE_VERSION;
  choose_encodings();
  PHISCOPE_TRY(describe_source(target));
  PHISCOPE_TRY(write_weights(folder));
  PHISCOPE_TRY(copy_companions(folder));
  manifest_.bits_per_weight = bits_per_weight(manifest_.tensors);
  manifest_.file_bytes = deployed_bytes(manifest_.tensors, *model_.plan);
  // A GGUF file as it is: what gets deployed is that file.
  if (is_gguf(model_.folder) && manifest_.content_hash.empty()) manifest_.file_bytes = model_.files->files().front()->bytes().size();
  PHISCOPE_TRY(write_file(folder / kManifestName, to_json(manifest_).dump(2) + "\n"));
  return std::move(manifest_);
}

/// Refuses to replace anything but an artifact or an empty folder: --out with a mistyped path must not remove somebody's files.
Status check_target(const std::filesystem::path& target) {
  std::error_code error;
  const auto status = std::filesystem::status(target, error);
  if (!std::filesystem::exists(status)) return {};
  if (!std::filesystem::is_directory(status))
    return fail(ErrorCode::invalid_argument, "{}: is a file; name a folder for the artifact", target.string());
  if (is_artifact(target) || std::filesystem::is_empty(target, error)) return {};
  return fail(ErrorCode::invalid_argument, "{}: exists and is not a Phiscope artifact; name another folder", target.string());
}

}  // namespace

Result<Artifact> make_artifact(const Model& model, const Recipe& recipe, const std::filesystem::path& target, const ConvertOptions& options) {
  if (model.folder.empty())
    return fail(ErrorCode::unsupported, "{}: a synthetic model is not written to disk; benchmark it as it is", model.name);
  PHISCOPE_TRY(check_target(target));
  std::error_code error;
  if (target.has_parent_path()) std::filesystem::create_directories(target.parent_path(), error);
  PHISCOPE_ASSIGN(FolderBuild build, FolderBuild::beside(target));
  Maker maker(model, recipe, options);
  PHISCOPE_ASSIGN([[maybe_unused]] const Manifest manifest, maker.make(build.path(), target));
  PHISCOPE_TRY(build.move_to(target));
  return open_artifact(target, &model);
}

Result<ExportResult> export_artifact(const Model& model, const ExportRequest& request, std::string_view /*format*/) {
  PHISCOPE_ASSIGN(Artifact artifact, make_artifact(model, request.recipe, request.target, request.options));
  ExportResult result{.path = artifact.folder, .bytes = artifact.file_bytes, .hash = artifact.hash, .recipe = artifact.recipe, .tensors = {}, .notices = {}};
  result.bits_per_weight = artifact.bits_per_weight;
  result.tensors = std::move(artifact.tensors);
  return result;
}

}  // namespace phiscope
