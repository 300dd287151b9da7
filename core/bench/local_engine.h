#pragma once
// An engine in this process: a model opened on one of our backends. The worker serves its requests with it; tests use it directly.

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "core/backend/walk.h"
#include "core/base/clock.h"
#include "core/base/platform/energy.h"
#include "core/bench/distributions.h"
#include "core/bench/engine.h"
#include "core/convert/artifact.h"
#include "core/job/cancel.h"
#include "core/model/model.h"
#include "core/tokenizer/tokenizer.h"
#include "core/bench/windows.h"

namespace phiscope::bench {

/// Resolves "cpu", or "" = the best available. The worker passes one over find_backend(); this library links no backend.
using BackendFinder = std::function<Result<const Backend*>(std::string_view name)>;

/// What was opened. `session` uses `plan` and `weights`, which it keeps alive itself; `reference_weights` must outlive it.
struct OpenedModel {
  Model model;
  Artifact artifact;
  std::shared_ptr<const WeightSource> reference_weights;  // null: no reference head
  std::shared_ptr<const Tokenizer> tokenizer;             // null for synthetic models
  const Backend* backend = nullptr;
  std::unique_ptr<Session> session;                       // null when the model is computed layer by layer
  OpenOptions options;                                    // what it, or each of its layers, was opened with
};

class LocalEngine : public Engine {
 public:
  LocalEngine(BackendFinder find_backend, std::filesystem::path cache_folder, Clock& clock);
  ~LocalEngine() override;

  Result<OpenReply> open(const OpenBlock& block, const Progress& progress) override;
  Result<PrefillReply> prefill(const PrefillBlock& block) override;
  Result<GenerateReply> generate(const GenerateBlock& block) override;
  Result<HiddenReply> hidden(const Windows& windows, const std::filesystem::path& out, const Progress& progress) override;
  Result<ScoreReply> score(const Windows& windows, const std::filesystem::path& reference_hidden, const Progress& progress) override;
  Result<ItemsReply> items(const ItemsBlock& block, const Progress& progress) override;
  Result<MemoryReply> memory() override;
  Status close() override;
  void cancel() override { cancel_.cancel(); }

  /// Computes the windows of the asked places again. Errors: invalid_argument for places that the text has not.
  Result<DistributionsReply> distributions(const DistributionsBlock& block, const Progress& progress);
  /// generate() that also reports each token after its time was taken; false ends with finish "cancelled".
  Result<GenerateReply> generate(const GenerateBlock& block, const std::function<bool(int32_t id)>& on_token);
  /// Forgets an earlier cancel(); called before each job.
  void clear_cancel() { cancel_.reset(); }
  /// Null before open() and after close().
  OpenedModel* opened() { return opened_.get(); }
  /// A device's own counter instead of the processor's, from the next open() on; null = the processor's.
  void use_energy_meter(std::shared_ptr<platform::EnergyMeter> meter) { chosen_energy_ = std::move(meter); }

 private:
  Status open_weights(const OpenBlock& block, const Progress& progress, OpenReply& reply);
  void open_reference(const OpenBlock& block, OpenReply& reply);
  Status open_session(const OpenBlock& block, const Progress& progress, OpenReply& reply);
  Status open_layers(const OpenOptions& options, OpenReply& reply);
  /// Final-norm states of every window, in order: from the session, or layer by layer.
  Status each_hidden(const TextWindows& text, bool with_noise, const Progress& progress, std::string_view what, const HiddenCallback& on_hidden);
  Status load_filler(int64_t depth);
  Result<std::vector<int32_t>> prompt_of(const GenerateBlock& block);
  Status need_model() const;
  Status need_tokenizer() const;
  std::vector<int32_t> random_ids(int64_t count, uint64_t seed) const;

  BackendFinder find_backend_;
  std::filesystem::path cache_folder_;
  Clock& clock_;
  CancelToken cancel_;
  std::unique_ptr<OpenedModel> opened_;
  void open_energy(OpenReply& reply);
  /// Joules so far; -1 when nothing counts them.
  double joules();

  std::shared_ptr<platform::EnergyMeter> chosen_energy_, energy_;
  double idle_w_ = -1;
  int64_t context_ = 0;
  int64_t filler_loaded_ = 0;  // so many tokens at the start of the sequence are filler
};

}  // namespace phiscope::bench
