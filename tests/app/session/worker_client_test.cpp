#include "app/session/worker_client.h"

#include <gmock/gmock.h>

#include <thread>

#include "tests/app/session/worker_environment.h"

namespace phiscope::session {
namespace {

using test::WorkerTest;
using testing::HasSubstr;

class WorkerClientTest : public WorkerTest {
 protected:
  static Result<std::unique_ptr<WorkerClient>> fake(const std::string& manner) {
    WorkerOptions options;
    options.program = test::fake_worker_program();
    options.arguments = {manner};
    options.hello_timeout_s = 0.5;
    options.cancel_grace_s = 0.2;
    return WorkerClient::start(std::move(options));
  }
};

TEST_F(WorkerClientTest, AnswersRequestsOneAfterTheOther) {
  auto client = WorkerClient::start({});
  ASSERT_TRUE(client.has_value()) << client.error().message;
  for (int i = 0; i < 2; ++i) {
    const auto reply = (*client)->request("backends", Json::object(), 30);
    ASSERT_TRUE(reply.has_value()) << reply.error().message;
    EXPECT_GE(reply->at("backends").size(), 1u);
  }
}

TEST_F(WorkerClientTest, AnUnknownRequestIsAnErrorAndTheWorkerLivesOn) {
  auto client = WorkerClient::start({});
  ASSERT_TRUE(client.has_value());
  const auto reply = (*client)->request("dance", Json::object(), 30);
  ASSERT_FALSE(reply.has_value());
  EXPECT_THAT(reply.error().message, HasSubstr("'dance'"));
  EXPECT_TRUE((*client)->request("memory", Json::object(), 30).has_value());
}

TEST_F(WorkerClientTest, AMissingProgramIsNamedWithTheRemedy) {
  WorkerOptions options;
  options.program = folder_ / "nothing-here";
  const auto client = WorkerClient::start(std::move(options));
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().code, ErrorCode::not_found);
  EXPECT_THAT(client.error().message, HasSubstr("PHISCOPE_WORKER"));
}

TEST_F(WorkerClientTest, AnotherProtocolIsRefusedNamingBothVersions) {
  const auto client = fake("old");
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().code, ErrorCode::unsupported);
  EXPECT_THAT(client.error().message, HasSubstr("version 0.0.1 with protocol 0"));
}

TEST_F(WorkerClientTest, AMuteProgramIsGivenUp) {
  const auto client = fake("mute");
  ASSERT_FALSE(client.has_value());
  EXPECT_EQ(client.error().code, ErrorCode::hung);
}

TEST_F(WorkerClientTest, SilenceBeyondTheLimitIsHungAndTheWorkerIsKilled) {
  auto client = fake("silent");
  ASSERT_TRUE(client.has_value()) << client.error().message;
  const auto reply = (*client)->request("prefill", Json::object(), 0.3);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::hung);
  EXPECT_THAT(reply.error().message, HasSubstr("0.3 s during 'prefill'"));
  EXPECT_FALSE((*client)->alive());
  EXPECT_EQ((*client)->request("memory", Json::object(), 1).error().code, ErrorCode::hung);
}

TEST_F(WorkerClientTest, DeathIsACrashThatNamesTheSignal) {
  auto client = fake("dies");
  ASSERT_TRUE(client.has_value());
  const auto reply = (*client)->request("open", Json::object(), 10);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::crashed);
  EXPECT_THAT(reply.error().message, HasSubstr("signal 9"));
  EXPECT_THAT(reply.error().message, HasSubstr("'open'"));
}

TEST_F(WorkerClientTest, GarbageOnTheStreamEndsIt) {
  auto client = fake("garbage");
  ASSERT_TRUE(client.has_value());
  const auto reply = (*client)->request("open", Json::object(), 10);
  ASSERT_FALSE(reply.has_value());
  EXPECT_THAT(reply.error().message, HasSubstr("broke the protocol"));
  EXPECT_FALSE((*client)->alive());
}

TEST_F(WorkerClientTest, ACancelEndsEvenAWorkerThatDoesNotListen) {
  auto client = fake("deaf");
  ASSERT_TRUE(client.has_value());
  CancelToken cancel;
  int messages = 0;
  const auto on_message = [&](const Json&) {
    if (++messages == 3) cancel.cancel();
  };
  const auto reply = (*client)->request("open", Json::object(), 10, on_message, &cancel);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::cancelled);
  EXPECT_FALSE((*client)->alive());
}

TEST_F(WorkerClientTest, ItsScratchFolderGoesWithIt) {
  std::filesystem::path scratch;
  {
    auto client = WorkerClient::start({});
    ASSERT_TRUE(client.has_value());
    scratch = (*client)->scratch_folder();
    EXPECT_TRUE(std::filesystem::is_directory(scratch));
  }
  EXPECT_FALSE(std::filesystem::exists(scratch));
}

}  // namespace
}  // namespace phiscope::session
