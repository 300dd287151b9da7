#pragma once
// The bench's Engine over a worker process.

#include <memory>
#include <string>

#include "app/session/worker_client.h"
#include "core/bench/engine.h"

namespace phiscope::session {

/// How long a worker may be silent in each block before it counts as hung, in seconds. Generous: a scalar backend with a large model is slow, not
/// hung. Blocks that report progress restart the clock with each report.
struct SilenceLimits {
  double open = 600;
  double prefill = 3600;
  double generate = 3600;
  double windows = 1800;  // hidden, score: between chunks
  double items = 600;     // between items
  double other = 60;      // memory, close
};

/// Not thread-safe but for cancel().
class WorkerEngine : public bench::Engine {
 public:
  /// `cancel` may be null; it is looked at while a block runs.
  WorkerEngine(std::unique_ptr<WorkerClient> client, const CancelToken* cancel, SilenceLimits limits = {});
  ~WorkerEngine() override;

  Result<bench::OpenReply> open(const bench::OpenBlock& block, const bench::Progress& progress) override;
  Result<bench::PrefillReply> prefill(const bench::PrefillBlock& block) override;
  Result<bench::GenerateReply> generate(const bench::GenerateBlock& block) override;
  Result<bench::HiddenReply> hidden(const bench::Windows& windows, const std::filesystem::path& out, const bench::Progress& progress) override;
  Result<bench::ScoreReply> score(const bench::Windows& windows, const std::filesystem::path& reference_hidden,
                                  const bench::Progress& progress) override;
  Result<bench::ItemsReply> items(const bench::ItemsBlock& block, const bench::Progress& progress) override;
  Result<bench::MemoryReply> memory() override;
  Status close() override;
  void cancel() override;

  WorkerClient& client() { return *client_; }

 private:
  Result<Json> ask(std::string_view type, Json fields, double limit_s, const bench::Progress& progress = {});

  std::unique_ptr<WorkerClient> client_;
  const CancelToken* cancel_;
  SilenceLimits limits_;
};

}  // namespace phiscope::session
