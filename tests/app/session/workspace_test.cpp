#include "app/session/workspace.h"

#include <chrono>
#include <thread>

#include "core/store/store.h"
#include "tests/app/session/worker_environment.h"
#include "tests/support/example_runs.h"

namespace phiscope::session {
namespace {

class WorkspaceTest : public test::WorkerTest {
 protected:
  WorkspaceOptions options() const { return {database(), folder_ / "config", {}}; }

  /// The first snapshot for which `is_reached` holds; null (and a failure) after a minute.
  static std::shared_ptr<const Snapshot> wait_for(const Workspace& workspace, const std::function<bool(const Snapshot&)>& is_reached) {
    for (int i = 0; i < 6000; ++i) {
      if (auto snapshot = workspace.snapshot(); is_reached(*snapshot)) return snapshot;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "the snapshot that was waited for never came";
    return nullptr;
  }
};

bool is_settled(const Snapshot& snapshot) { return !snapshot.runs_are_loading && !snapshot.comparison.is_loading; }

TEST_F(WorkspaceTest, AnEmptyDatabaseIsNoProblem) {
  const Workspace workspace(options());
  const auto snapshot = wait_for(workspace, is_settled);
  ASSERT_NE(snapshot, nullptr);
  EXPECT_TRUE(snapshot->runs->empty());
  EXPECT_EQ(snapshot->database_problem, "");
  EXPECT_EQ(snapshot->comparison.problem, "");
  EXPECT_EQ(snapshot->comparison.document, nullptr);
}

TEST_F(WorkspaceTest, DeletedRunsComeBackWithTheirSamples) {
  const phiscope::Run run = test::example_runs().front();
  {
    const auto store = Store::open(database());
    ASSERT_TRUE(store.has_value());
    ASSERT_TRUE((*store)->save(run).has_value());
  }
  Workspace workspace(options());
  ASSERT_NE(wait_for(workspace, [](const Snapshot& s) { return s.runs->size() == 1; }), nullptr);
  workspace.delete_runs({run.run_id});
  const auto without = wait_for(workspace, [](const Snapshot& s) { return s.runs->empty() && !s.deleted->empty(); });
  ASSERT_NE(without, nullptr);
  workspace.undo_delete();
  ASSERT_NE(wait_for(workspace, [](const Snapshot& s) { return s.runs->size() == 1 && s.deleted->empty(); }), nullptr);
  const auto store = Store::open(database());
  ASSERT_TRUE(store.has_value());
  const auto back = (*store)->load(run.run_id);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->samples.size(), run.samples.size());
  EXPECT_EQ(back->series.size(), run.series.size());
}

TEST_F(WorkspaceTest, AModelThatCannotBeReadStaysOnTheShelfWithItsReason) {
  Workspace workspace(options());
  const std::string absent = (folder_ / "absent").string();
  workspace.open_model(absent);
  const auto snapshot = wait_for(workspace, [&](const Snapshot& s) {
    return s.find_model(absent) != nullptr && s.find_model(absent)->state == ShelfModel::State::refused;
  });
  ASSERT_NE(snapshot, nullptr);
  EXPECT_NE(snapshot->find_model(absent)->problem.find("absent"), std::string::npos);
  workspace.remove_model(absent);
  EXPECT_NE(wait_for(workspace, [&](const Snapshot& s) { return s.find_model(absent) == nullptr; }), nullptr);
}

TEST_F(WorkspaceTest, ABenchGoesFromQueueToComparison) {
  PHISCOPE_FIXTURE(model, "models/phi-3-mini-tiny");
  Workspace workspace(options());
  BenchRequest request;
  request.models = {model.string()};
  request.recipes = "fp32,int4";
  request.backends = {"cpu"};
  request.suite = small_suite().string();
  workspace.enqueue(request);
  const auto done = wait_for(workspace, [](const Snapshot& s) { return s.queue.front().has_ended() && s.comparison.document != nullptr && is_settled(s); });
  ASSERT_NE(done, nullptr);
  EXPECT_EQ(done->queue.front().state, QueueEntry::State::done) << done->queue.front().problem;
  ASSERT_EQ(done->queue.front().outcomes.size(), 2u);
  EXPECT_EQ(done->comparison.comparison->reference.recipe, "fp32");
  workspace.export_report("json", folder_ / "report.json");
  const auto written = wait_for(workspace, [](const Snapshot& s) { return !s.export_state.is_running; });
  ASSERT_NE(written, nullptr);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "report.json")) << written->export_state.problem;
}

TEST_F(WorkspaceTest, WhatWaitsWhilePausedStartsAfterwardsAndACancelledOneNever) {
  PHISCOPE_FIXTURE(model, "models/phi-3-mini-tiny");
  Workspace workspace(options());
  BenchRequest request;
  request.models = {model.string()};
  request.recipes = "fp32";
  request.backends = {"cpu"};
  request.suite = small_suite().string();
  workspace.pause(true);
  workspace.enqueue(request);
  workspace.enqueue(request);
  workspace.cancel(1);
  workspace.pause(false);
  const auto ended = wait_for(workspace, [](const Snapshot& s) { return s.queue[1].has_ended(); });
  ASSERT_NE(ended, nullptr);
  EXPECT_EQ(ended->queue[0].state, QueueEntry::State::cancelled);
  EXPECT_TRUE(ended->queue[0].outcomes.empty());
  EXPECT_EQ(ended->queue[1].state, QueueEntry::State::done) << ended->queue[1].problem;
}

}  // namespace
}  // namespace phiscope::session
