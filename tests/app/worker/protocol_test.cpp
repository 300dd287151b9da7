// The worker's program as a parent sees it: lines in, lines out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#include "core/base/json.h"
#include "core/base/platform/platform.h"
#include "core/base/version.h"
#include "tests/support/fixtures.h"

namespace phiscope {
namespace {

using testing::HasSubstr;

class WorkerProtocol : public testing::Test {
 protected:
  void SetUp() override {
    platform::ChildProcess::Options options;
    options.arguments = {PHISCOPE_WORKER_PROGRAM};
    options.environment = {{"PHISCOPE_CACHE", (folder_ / "cache").string()}};
    auto child = platform::ChildProcess::start(std::move(options));
    ASSERT_TRUE(child.has_value()) << child.error().message;
    child_ = std::move(*child);
    hello_ = receive();
  }
  Json receive() {
    const auto line = child_->receive_line(60);
    if (!line) {
      ADD_FAILURE() << line.error().message;
      return Json::object();
    }
    return parse_json(*line, "test").value_or(Json::object());
  }
  Json ask(const std::string& line) {
    EXPECT_TRUE(child_->send_line(line).has_value());
    for (;;) {
      Json reply = receive();
      if (json_string_or(reply, "type", "") != "progress" && json_string_or(reply, "type", "") != "token") return reply;
    }
  }
  test::TemporaryFolder folder_;
  std::unique_ptr<platform::ChildProcess> child_;
  Json hello_;
};

TEST_F(WorkerProtocol, BeginsWithAVersionedHello) {
  EXPECT_EQ(json_string_or(hello_, "type", ""), "hello");
  EXPECT_EQ(hello_.at("protocol"), 1);
  EXPECT_EQ(json_string_or(hello_, "app_version", ""), kVersion);
}

TEST_F(WorkerProtocol, EndsWithItsInput) {
  child_->close_stdin();
  const platform::ChildProcess::Exit exit = child_->wait(20);
  EXPECT_EQ(exit.signal, 0) << exit.describe();
  EXPECT_EQ(exit.status, 0);
}

TEST_F(WorkerProtocol, IgnoresCtrlCOfTheTerminal) {
  ASSERT_EQ(::kill(child_->process_id(), SIGINT), 0);
  EXPECT_EQ(json_string_or(ask(R"({"type":"memory","id":1})"), "type", ""), "result");
}

TEST_F(WorkerProtocol, AnswersALineThatIsNoJsonAndGoesOn) {
  EXPECT_EQ(json_string_or(ask("{oops"), "code", ""), "invalid_file");
  EXPECT_EQ(ask(R"({"type":"memory","id":7})").at("id"), 7);
}

TEST_F(WorkerProtocol, AFieldOfTheWrongTypeIsAnErrorWithItsName) {
  const Json reply = ask(R"({"type":"open","id":2,"model":5})");
  EXPECT_EQ(json_string_or(reply, "type", ""), "error");
  EXPECT_THAT(json_string_or(reply, "message", ""), HasSubstr("'model'"));
}

TEST_F(WorkerProtocol, ABlockBeforeOpenIsAnError) {
  EXPECT_THAT(json_string_or(ask(R"({"type":"prefill","id":3,"tokens":4})"), "message", ""), HasSubstr("no model is open"));
}

TEST_F(WorkerProtocol, ACancelReachesAJobThatRuns) {
  PHISCOPE_FIXTURE(model, "models/phi-4-mini-tiny");
  const Json open{{"type", "open"}, {"id", 1}, {"model", model.string()}, {"recipe", "fp32"}, {"backend", "reference"}, {"context", 2048},
                  {"with_reference_head", false}};
  ASSERT_EQ(json_string_or(ask(dump_line(open)), "type", ""), "result");
  ASSERT_TRUE(child_->send_line(R"({"type":"generate","id":2,"random_prompt":4,"max_new_tokens":1900,"stream":true})").has_value());
  while (json_string_or(receive(), "type", "") != "token") {
  }
  const Json reply = ask(R"({"type":"cancel"})");
  EXPECT_EQ(reply.at("id"), 2);
  EXPECT_EQ(json_string_or(reply, "finish", ""), "cancelled");
  EXPECT_LT(reply.at("ids").size(), 1900u);
}

}  // namespace
}  // namespace phiscope
