#include <filesystem>

#include "app/worker/jobs.h"
#include "core/bench/engine_json.h"
#include "core/bench/series_file.h"
#include "core/format/tensor_file.h"

namespace phiscope::worker {

using namespace bench;

namespace {

constexpr const char* kWhere = "worker request";

Result<std::filesystem::path> path_field(const Json& request, std::string_view key) {
  PHISCOPE_ASSIGN(const std::string text, json_string(request, key, kWhere));
  return std::filesystem::path(text);
}

}  // namespace

Result<Json> open_job(const Json& request, JobContext& context) {
  PHISCOPE_ASSIGN(const OpenBlock block, from_json<OpenBlock>(request));
  PHISCOPE_ASSIGN(const OpenReply reply, context.engine.open(block, context.progress));
  return to_json(reply);
}

Result<Json> prefill_job(const Json& request, JobContext& context) {
  PHISCOPE_ASSIGN(const PrefillBlock block, from_json<PrefillBlock>(request));
  PHISCOPE_ASSIGN(const PrefillReply reply, context.engine.prefill(block));
  return to_json(reply);
}

Result<Json> generate_job(const Json& request, JobContext& context) {
  PHISCOPE_ASSIGN(const GenerateBlock block, from_json<GenerateBlock>(request));
  PHISCOPE_ASSIGN(const bool is_streamed, json_bool_or(request, "stream", false, kWhere));
  if (!is_streamed) {
    PHISCOPE_ASSIGN(const GenerateReply reply, context.engine.generate(block));
    return to_json(reply);
  }
  const std::shared_ptr<const Tokenizer> tokenizer = context.engine.opened() ? context.engine.opened()->tokenizer : nullptr;
  if (!tokenizer) return fail(ErrorCode::unsupported, "the model has no tokenizer, so its answer cannot be shown as text");
  StreamDecoder decoder(tokenizer);
  std::string text;
  const auto on_token = [&](int32_t id) {
    const std::string piece = decoder.push(id);
    text += piece;
    context.send({{"type", "token"}, {"token", id}, {"text", piece}});
    return true;
  };
  PHISCOPE_ASSIGN(const GenerateReply reply, context.engine.generate(block, on_token));
  const std::string rest = decoder.finish();
  if (!rest.empty()) context.send({{"type", "token"}, {"token", -1}, {"text", rest}});
  Json result = to_json(reply);
  result["text"] = text + rest;
  return result;
}

Result<Json> hidden_job(const Json& request, JobContext& context) {
  PHISCOPE_ASSIGN(const Windows windows, from_json<Windows>(request));
  PHISCOPE_ASSIGN(const std::filesystem::path out, path_field(request, "out"));
  PHISCOPE_ASSIGN(const HiddenReply reply, context.engine.hidden(windows, out, context.progress));
  return to_json(reply);
}

Result<Json> score_job(const Json& request, JobContext& context) {
  PHISCOPE_ASSIGN(const Windows windows, from_json<Windows>(request));
  PHISCOPE_ASSIGN(const std::filesystem::path out, path_field(request, "out"));
  const std::filesystem::path reference = json_string_or(request, "reference_hidden", "");
  PHISCOPE_ASSIGN(const ScoreReply reply, context.engine.score(windows, reference, context.progress));
  PHISCOPE_TRY(write_series_file(out, reply.windows));
  return to_json(reply);
}

Result<Json> distributions_job(const Json& request, JobContext& context) {
  PHISCOPE_ASSIGN(const DistributionsBlock block, from_json<DistributionsBlock>(request));
  PHISCOPE_ASSIGN(const DistributionsReply reply, context.engine.distributions(block, context.progress));
  return to_json(reply);
}

Result<Json> items_job(const Json& request, JobContext& context) {
  PHISCOPE_ASSIGN(const ItemsBlock block, from_json<ItemsBlock>(request));
  PHISCOPE_ASSIGN(const std::filesystem::path out, path_field(request, "out"));
  PHISCOPE_ASSIGN(const ItemsReply reply, context.engine.items(block, context.progress));
  PHISCOPE_TRY(write_series_file(out, std::vector<Series>{reply.items, reply.choices}));
  return Json::object();
}

Result<Json> memory_job(const Json&, JobContext& context) {
  PHISCOPE_ASSIGN(const MemoryReply reply, context.engine.memory());
  return to_json(reply);
}

Result<Json> close_job(const Json&, JobContext& context) {
  PHISCOPE_TRY(context.engine.close());
  return Json::object();
}

Result<Json> logits_job(const Json& request, JobContext& context) {
  OpenedModel* opened = context.engine.opened();
  if (opened == nullptr) return fail(ErrorCode::internal, "no model is open; send 'open' first");
  if (!opened->session) return fail(ErrorCode::unsupported, "{} does not fit into memory, so its logits cannot be written", opened->model.name);
  PHISCOPE_ASSIGN(const GenerateBlock block, from_json<GenerateBlock>(Json{{"prompt", request.value("ids", Json::array())}}));
  PHISCOPE_ASSIGN(const std::filesystem::path out, path_field(request, "out"));
  const auto positions = static_cast<int64_t>(block.prompt.size());
  const int64_t hidden = opened->artifact.plan->hidden, vocab = opened->artifact.plan->vocab;
  if (positions == 0) return fail(ErrorCode::invalid_argument, "no ids were given; name at least one");
  PHISCOPE_TRY(opened->session->truncate(0));
  std::vector<float> states(static_cast<size_t>(positions * hidden)), row(static_cast<size_t>(vocab));
  PHISCOPE_TRY(opened->session->append(block.prompt, states));
  PHISCOPE_ASSIGN(const auto writer, SafetensorsWriter::create(out, {{"logits", DType::f32, {positions, vocab}}}));
  for (int64_t i = 0; i < positions; ++i) {
    const auto state = std::span<const float>(states).subspan(static_cast<size_t>(i * hidden), static_cast<size_t>(hidden));
    PHISCOPE_TRY(opened->session->logits(state, Head::own, row));
    PHISCOPE_TRY(writer->write(std::as_bytes(std::span(row))));
    context.progress(static_cast<double>(i + 1) / static_cast<double>(positions), "logits");
  }
  PHISCOPE_TRY(writer->commit());
  return Json{{"positions", positions}, {"vocab", vocab}};
}

}  // namespace phiscope::worker
