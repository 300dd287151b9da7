#include "core/bench/local_engine.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <mutex>
#include <thread>

#include "core/base/platform/disturbance.h"
#include "core/base/platform/platform.h"
#include "core/base/text.h"
#include "core/bench/tasks.h"

namespace phiscope::bench {
namespace {

// Any fixed value: the filler of every run is the same text of random ids.
constexpr uint64_t kFillerSeed = 0x5048495343ull;
constexpr int64_t kDefaultContext = 4096;
constexpr auto kIdleTime = std::chrono::milliseconds(300);  // RAPL counters move every millisecond

double seconds_between(int64_t begin_ns, int64_t end_ns) { return static_cast<double>(end_ns - begin_ns) * 1e-9; }

void tell(const Progress& progress, double fraction, std::string_view what) {
  if (progress) progress(fraction, what);
}

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

bool contains(const std::vector<int32_t>& ids, int32_t id) { return std::find(ids.begin(), ids.end(), id) != ids.end(); }

std::vector<WeightEncoding> encodings_of(const Plan& plan, const WeightSource& weights) {
  std::vector<WeightEncoding> encodings;
  for (size_t i = 0; i < plan.tensors.size(); ++i) encodings.push_back(weights.encoding(static_cast<int>(i)));
  return encodings;
}

/// Of the files that hold the weights, by bytes; -1 where there are none.
double cached_share(const OpenedModel& opened) {
  double held = 0, all = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator it(opened.artifact.folder, error), end; !error && it != end; it.increment(error)) {
    const double share = platform::page_cache_share(it->path());
    if (share < 0) continue;
    const auto bytes = static_cast<double>(it->file_size(error));
    held += share * bytes;
    all += bytes;
  }
  return all > 0 ? held / all : -1;
}

/// Pages that hashing and checking files left in memory: they belong to no run.
void drop_pages(const OpenedModel& opened) {
  if (opened.model.files)
    for (const auto& file : opened.model.files->files()) file->drop(0, file->bytes().size());
  for (size_t i = 0; i < opened.artifact.plan->tensors.size(); ++i) opened.artifact.weights->release(static_cast<int>(i));
}

Result<Recipe> recipe_of(const std::string& text) {
  PHISCOPE_ASSIGN(std::vector<Recipe> recipes, parse_recipes(text));
  if (recipes.size() != 1) return fail(ErrorCode::invalid_argument, "'{}' names {} recipes; one run takes one", text, recipes.size());
  return std::move(recipes[0]);
}

/// The fp32 artifact, opened when its head is first needed: a run that is timed does not hold it, nor does its peak memory show it.
class LazyReference : public WeightSource {
 public:
  LazyReference(const Model& model, std::filesystem::path cache_folder, int threads)
      : model_(model), cache_folder_(std::move(cache_folder)), threads_(threads) {}

  Result<Weight> tensor(int index) const override {
    PHISCOPE_ASSIGN(const auto weights, open());
    return weights->tensor(index);
  }
  WeightEncoding encoding(int index) const override {
    const auto weights = open();
    return weights ? (*weights)->encoding(index) : WeightEncoding{};
  }
  std::string hash() const override {
    const auto weights = open();
    return weights ? (*weights)->hash() : std::string{};
  }

 private:
  Result<std::shared_ptr<const WeightSource>> open() const {
    const std::scoped_lock lock(mutex_);
    if (!weights_) {
      PHISCOPE_ASSIGN(const Recipe fp32, parse_recipe("fp32"));
      PHISCOPE_ASSIGN(const Artifact artifact, cached_artifact(model_, fp32, cache_folder_, {.threads = threads_, .on_progress = {}}));
      weights_ = artifact.weights;
    }
    return weights_;
  }

  const Model& model_;
  std::filesystem::path cache_folder_;
  int threads_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const WeightSource> weights_;
};

}  // namespace

LocalEngine::LocalEngine(BackendFinder find_backend, std::filesystem::path cache_folder, Clock& clock)
    : find_backend_(std::move(find_backend)), cache_folder_(std::move(cache_folder)), clock_(clock) {}
LocalEngine::~LocalEngine() = default;

Status LocalEngine::need_model() const {
  if (opened_ && opened_->session) return {};
  if (opened_ && opened_->backend != nullptr)
    return fail(ErrorCode::unsupported, "{} does not fit into memory and is computed layer by layer, which only scores texts", opened_->model.name);
  return fail(ErrorCode::internal, "no model is open; send 'open' first");
}

Status LocalEngine::need_tokenizer() const {
  if (!opened_) PHISCOPE_TRY(need_model());
  if (opened_->tokenizer) return {};
  return fail(ErrorCode::unsupported, "{} has no tokenizer, so it cannot read text", opened_->model.name);
}

Result<OpenReply> LocalEngine::open(const OpenBlock& block, const Progress& progress) {
  opened_.reset();
  filler_loaded_ = 0;
  opened_ = std::make_unique<OpenedModel>();
  OpenReply reply;
  auto status = open_weights(block, progress, reply);
  if (status) open_reference(block, reply);
  if (status) status = open_session(block, progress, reply);
  if (!status) {
    opened_.reset();
    return fail(std::move(status.error()));
  }
  return reply;
}

Status LocalEngine::open_weights(const OpenBlock& block, const Progress& progress, OpenReply& reply) {
  OpenedModel& opened = *opened_;
  PHISCOPE_ASSIGN(const ModelReference reference, resolve_model(block.model));
  const bool is_artifact_folder = reference.kind == ModelReference::Kind::artifact;
  const std::string recipe_text = block.recipe.empty() ? "source" : block.recipe;
  PHISCOPE_ASSIGN(Recipe recipe, recipe_of(recipe_text));
  reply.recipe = recipe.name;
  const int64_t begin = clock_.now_ns();
  if (reference.kind == ModelReference::Kind::synthetic) {
    tell(progress, 0, "making random weights");
    const std::string_view typed = reference.name;
    PHISCOPE_ASSIGN(opened.model, make_synthetic(typed.substr(typed.find(':') + 1), recipe));
    opened.artifact = {.folder = {}, .recipe = recipe.name, .source_hash = opened.model.hash, .hash = {}, .tool_version = {},
                       .tensors = {}, .file_bytes = 0, .bits_per_weight = 0, .plan = opened.model.plan, .weights = opened.model.weights};
    uint64_t bits = 0, values = 0;
    for (size_t i = 0; i < opened.model.plan->tensors.size(); ++i) {
      const PlanTensor& tensor = opened.model.plan->tensors[i];
      const uint64_t bytes = opened.model.weights->encoding(static_cast<int>(i)).bytes(tensor.rows, tensor.columns);
      opened.artifact.file_bytes += bytes;
      bits += bytes * 8;
      values += static_cast<uint64_t>(tensor.rows) * static_cast<uint64_t>(tensor.columns);
    }
    opened.artifact.bits_per_weight = values == 0 ? 0 : static_cast<double>(bits) / static_cast<double>(values);
    reply.synthetic = true;
  } else if (is_artifact_folder) {
    PHISCOPE_ASSIGN(opened.artifact, open_artifact(reference.path));
    if (recipe.base != "source") {
      reply.notices.push_back(fmt::format("{} was quantized already ({}); the errors of both recipes add up", reference.name, opened.artifact.recipe));
      PHISCOPE_ASSIGN(opened.model, model_of_artifact(opened.artifact));
      ConvertOptions options;
      options.threads = block.threads;
      PHISCOPE_ASSIGN(opened.artifact, cached_artifact(opened.model, recipe, cache_folder_, options, &reply.artifact_made));
    }
    opened.model.name = reference.path.filename().string();
    opened.model.folder = reference.path;
    opened.model.plan = opened.artifact.plan;
    opened.model.hash = opened.artifact.source_hash;
    reply.recipe = opened.artifact.recipe;
  } else {
    PHISCOPE_ASSIGN(opened.model, load_model(reference.path));
    const std::string blocks = recipe.base == "source" ? "" : stored_blocks(opened.model);
    if (!blocks.empty()) reply.notices.push_back(fmt::format("{} was quantized already ({}); the errors of both recipes add up", reference.name, blocks));
    ConvertOptions options;
    options.threads = block.threads;
    options.on_progress = [&](double fraction, std::string_view tensor) {
      tell(progress, fraction, fmt::format("quantizing {}", tensor));
      return !cancel_.cancelled();
    };
    PHISCOPE_ASSIGN(opened.artifact, cached_artifact(opened.model, recipe, cache_folder_, options, &reply.artifact_made));
  }
  if (reply.artifact_made) reply.quantize_s = seconds_between(begin, clock_.now_ns());
  else reply.open_s = seconds_between(begin, clock_.now_ns());
  if (reference.kind != ModelReference::Kind::synthetic) {
    PHISCOPE_ASSIGN(opened.tokenizer, Tokenizer::load(opened.model.folder));
    if (opened.tokenizer->vocab_size() > opened.artifact.plan->vocab)
      return fail(ErrorCode::invalid_file, "{}: the tokenizer has {} ids, the model only {} rows; they do not belong together",
                  opened.model.folder.string(), opened.tokenizer->vocab_size(), opened.artifact.plan->vocab);
    reply.tokenizer_hash = opened.tokenizer->hash();
  }
  reply.model_name = opened.model.name;
  reply.model_hash = opened.model.hash;
  reply.artifact_hash = opened.artifact.hash;
  reply.artifact_path = opened.artifact.folder.string();
  reply.file_bytes = opened.artifact.file_bytes;
  reply.bits_per_weight = opened.artifact.bits_per_weight;
  reply.notices.insert(reply.notices.end(), opened.model.notices.begin(), opened.model.notices.end());
  return {};
}

void LocalEngine::open_reference(const OpenBlock& block, OpenReply& reply) {
  OpenedModel& opened = *opened_;
  if (!block.with_reference_head) return;
  if (reply.synthetic) {
    reply.reference_head_reason = "random weights say nothing about quality";
  } else if (!opened.model.files) {
    reply.reference_head_reason = "the artifact's source model was not given, so there is no reference";
  } else {
    opened.reference_weights = std::make_shared<LazyReference>(opened.model, cache_folder_, block.threads);
    reply.reference_head = true;
  }
}

Status LocalEngine::open_session(const OpenBlock& block, const Progress& progress, OpenReply& reply) {
  OpenedModel& opened = *opened_;
  const Plan& plan = *opened.artifact.plan;
  PHISCOPE_ASSIGN(opened.backend, find_backend_(block.backend));
  // An artifact carries its recipe: its activations and KV cache are what that recipe says.
  PHISCOPE_ASSIGN(const Recipe recipe, recipe_of(opened.artifact.recipe.empty() ? reply.recipe : opened.artifact.recipe));
  OpenOptions options;
  options.context = std::min(block.context > 0 ? block.context : kDefaultContext, plan.context);
  options.threads = block.threads;
  options.kv = recipe.kv;
  options.activation = recipe.activation;
  options.instruction_set = block.instruction_set;
  options.packed_cache = opened.artifact.weights->hash().empty() ? std::filesystem::path{} : cache_folder_ / "packed";
  options.reference_weights = opened.reference_weights.get();
  options.on_progress = [&](double fraction) {
    tell(progress, fraction, "loading");
    return !cancel_.cancelled();
  };
  open_energy(reply);
  const std::vector<WeightEncoding> encodings = encodings_of(plan, *opened.artifact.weights);
  const Support support = opened.backend->supports(plan, encodings, options);
  if (!support.ok)
    return fail(ErrorCode::unsupported, "the {} backend cannot run {} in {}: {}", opened.backend->name(), block.model, reply.recipe,
                support.reason);
  const MemoryPlan memory = opened.backend->memory_plan(plan, encodings, options);
  const uint64_t available = platform::system_memory().available;
  const bool is_too_large = available > 0 && memory.total() > available;
  const std::string numbers =
      fmt::format("{} in {} needs {} (weights {}, KV cache {} for {} tokens, workspace {}), {} are free", opened.model.name, reply.recipe,
                  format_bytes(memory.total()), format_bytes(memory.weights), format_bytes(memory.kv), options.context, format_bytes(memory.workspace),
                  format_bytes(available));
  if (is_too_large && reply.synthetic) return fail(ErrorCode::out_of_memory, "{}; use fewer bits or a shorter context", numbers);
  if (is_too_large) reply.notices.push_back(numbers + "; it was computed layer by layer, so only texts were scored");
  reply.page_cache_share = cached_share(opened);
  drop_pages(opened);
  (void)platform::reset_peak_resident();  // the peak of this run begins here, not in quantizing
  const int64_t begin = clock_.now_ns();
  if (is_too_large || block.layer_by_layer) {
    PHISCOPE_TRY(open_layers(options, reply));
  } else {
    PHISCOPE_ASSIGN(opened.session, opened.backend->open(opened.artifact.plan, opened.artifact.weights, options));
    reply.effective = opened.session->effective();
    reply.memory = opened.session->memory();
  }
  opened.options = options;
  opened.options.on_progress = {};
  reply.load_s = seconds_between(begin, clock_.now_ns());
  context_ = options.context;
  reply.backend = std::string(opened.backend->name());
  reply.vocab = plan.vocab;
  reply.hidden = plan.hidden;
  reply.layers = plan.layers;
  reply.context = context_;
  reply.parameters = plan.parameters();
  return {};
}

// Nothing stays in memory: one layer is opened to learn what will run.
Status LocalEngine::open_layers(const OpenOptions& options, OpenReply& reply) {
  OpenedModel& opened = *opened_;
  const Stage stage = layer_stage(*opened.artifact.plan, opened.artifact.weights, 0);
  OpenOptions one = options;
  one.packed_cache.clear();
  one.reference_weights = nullptr;
  PHISCOPE_ASSIGN(const auto session, opened.backend->open(stage.plan, stage.weights, one));
  reply.layer_by_layer = true;
  reply.effective = session->effective();
  reply.effective.notes.push_back("computed layer by layer: one layer's weights were in memory at a time");
  reply.memory = session->memory();
  return {};
}

void LocalEngine::open_energy(OpenReply& reply) {
  energy_ = chosen_energy_;
  if (!energy_) {
    auto meter = platform::open_rapl();
    if (meter) energy_ = std::move(*meter);
    else reply.energy_reason = meter.error().message;
  }
  idle_w_ = -1;
  if (!energy_) return;
  reply.energy_source = energy_->source();
  const double before = joules();
  const int64_t begin = clock_.now_ns();
  std::this_thread::sleep_for(kIdleTime);
  const double spent_s = seconds_between(begin, clock_.now_ns());
  if (before >= 0 && spent_s > 0) idle_w_ = (joules() - before) / spent_s;
  reply.idle_w = idle_w_;
}

double LocalEngine::joules() { return energy_ ? energy_->joules().value_or(-1) : -1; }

std::vector<int32_t> LocalEngine::random_ids(int64_t count, uint64_t seed) const {
  const auto range = static_cast<uint64_t>(opened_->tokenizer ? opened_->tokenizer->vocab_size() : opened_->artifact.plan->vocab);
  std::vector<int32_t> ids(static_cast<size_t>(count));
  uint64_t state = seed;
  for (int32_t& id : ids) {  // SplitMix64, as in core/model/sampling.cpp
    state += 0x9E3779B97F4A7C15ull;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    id = static_cast<int32_t>((z ^ (z >> 31)) % range);
  }
  return ids;
}

Status LocalEngine::load_filler(int64_t depth) {
  Session& session = *opened_->session;
  const int64_t keep = std::min({depth, filler_loaded_, session.length()});
  filler_loaded_ = keep;
  PHISCOPE_TRY(session.truncate(keep));
  if (depth > keep) {
    const std::vector<int32_t> filler = random_ids(depth, kFillerSeed);
    PHISCOPE_TRY(session.append(std::span(filler).subspan(static_cast<size_t>(keep))));
    filler_loaded_ = depth;
  }
  return {};
}

Result<PrefillReply> LocalEngine::prefill(const PrefillBlock& block) {
  PHISCOPE_TRY(need_model());
  if (block.tokens < 1 || block.depth < 0)
    return fail(ErrorCode::invalid_argument, "a prompt of {} tokens after {} has no meaning", block.tokens, block.depth);
  PHISCOPE_TRY(load_filler(block.depth));
  const std::vector<int32_t> ids = random_ids(block.tokens, block.seed);
  PrefillReply reply;
  const double joules_before = joules();
  reply.start_ns = clock_.now_ns();
  PHISCOPE_TRY(opened_->session->append(ids));
  reply.end_ns = clock_.now_ns();
  reply.energy_j = joules_before < 0 ? -1 : joules() - joules_before;
  return reply;
}

namespace {

Result<std::vector<ChatMessage>> messages_of(const GenerateBlock& block) {
  if (block.chat_roles.size() != block.chat_contents.size())
    return fail(ErrorCode::invalid_argument, "a chat has {} roles for {} messages", block.chat_roles.size(), block.chat_contents.size());
  std::vector<ChatMessage> messages;
  for (size_t i = 0; i < block.chat_roles.size(); ++i) messages.push_back({block.chat_roles[i], block.chat_contents[i]});
  if (!block.text_prompt.empty()) messages.push_back({"user", block.text_prompt});
  return messages;
}

}  // namespace

Result<std::vector<int32_t>> LocalEngine::prompt_of(const GenerateBlock& block) {
  if (!block.prompt.empty()) return block.prompt;
  if (block.text_prompt.empty() && block.chat_roles.empty()) {
    if (block.random_prompt < 1) return fail(ErrorCode::invalid_argument, "the prompt is empty; give at least one token");
    return random_ids(block.random_prompt, block.seed);
  }
  PHISCOPE_TRY(need_tokenizer());
  const Tokenizer& tokenizer = *opened_->tokenizer;
  std::string text = block.text_prompt;
  if (block.chat) {
    PHISCOPE_ASSIGN(const std::vector<ChatMessage> messages, messages_of(block));
    PHISCOPE_ASSIGN(text, render_chat(tokenizer, messages, true));
  }
  std::vector<int32_t> ids = tokenizer.encode(text, Specials::parse);
  if (tokenizer.add_bos() && tokenizer.bos() && (ids.empty() || ids[0] != *tokenizer.bos())) ids.insert(ids.begin(), *tokenizer.bos());
  if (ids.empty()) return fail(ErrorCode::invalid_argument, "the prompt holds no token; write some text");
  return ids;
}

Result<GenerateReply> LocalEngine::generate(const GenerateBlock& block) { return generate(block, {}); }

Result<GenerateReply> LocalEngine::generate(const GenerateBlock& block, const std::function<bool(int32_t id)>& on_token) {
  PHISCOPE_TRY(need_model());
  PHISCOPE_TRY(check_sampling(block.sampling));
  PHISCOPE_TRY(load_filler(block.depth));
  GenerateReply reply;
  reply.request_ns = clock_.now_ns();
  PHISCOPE_ASSIGN(const std::vector<int32_t> prompt, prompt_of(block));
  const std::vector<int32_t> stops = block.fixed_length || !opened_->tokenizer ? std::vector<int32_t>{} : opened_->tokenizer->stop_ids();
  const Sampler sampler = make_sampler(block.sampling, prompt);
  reply.prompt_tokens = static_cast<int64_t>(prompt.size());
  reply.token_ns.reserve(static_cast<size_t>(block.max_new_tokens));
  reply.ids.reserve(static_cast<size_t>(block.max_new_tokens));
  reply.finish = "length";
  Session& session = *opened_->session;
  reply.handed_ns = clock_.now_ns();
  PHISCOPE_TRY(session.append(prompt));
  const double joules_before = joules();
  const auto take = [&](int32_t id, int64_t time_ns) {
    if (contains(stops, id)) {
      reply.finish = "eos";
      return false;
    }
    reply.token_ns.push_back(time_ns);
    reply.ids.push_back(id);
    if (cancel_.cancelled() || (on_token && !on_token(id))) {
      reply.finish = "cancelled";
      return false;
    }
    return true;
  };
  PHISCOPE_TRY(session.decode(std::clamp<int64_t>(context_ - session.length(), 0, block.max_new_tokens), sampler, take));
  reply.energy_j = joules_before < 0 ? -1 : joules() - joules_before;
  reply.idle_w = idle_w_;
  reply.finite = all_finite(session.last_logits());
  return reply;
}

Result<ItemsReply> LocalEngine::items(const ItemsBlock& block, const Progress& progress) {
  PHISCOPE_TRY(need_model());
  PHISCOPE_TRY(need_tokenizer());
  filler_loaded_ = 0;
  const TaskModel model{*opened_->session, *opened_->tokenizer, opened_->artifact.plan->hidden, opened_->artifact.plan->vocab, context_};
  const std::string what = "task " + block.task.stem().string();
  return score_task(model, block, [&](double fraction) {
    tell(progress, fraction, what);
    return !cancel_.cancelled();
  });
}

Result<MemoryReply> LocalEngine::memory() {
  MemoryReply reply;
  if (opened_ && opened_->session) reply.report = opened_->session->memory();
  PHISCOPE_ASSIGN(const platform::ProcessMemory process, platform::process_memory(0, true));
  reply.resident = process.resident;
  reply.anonymous = process.anonymous;
  reply.file_backed = process.file_backed;
  reply.peak_resident = process.peak_resident;
  reply.proportional = process.proportional;
  return reply;
}

Status LocalEngine::close() {
  opened_.reset();
  return {};
}

}  // namespace phiscope::bench
