#pragma once
// Work off the thread that draws.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace phiscope::session {

/// One thread that runs jobs in order. post() from any thread.
class JobThread {
 public:
  JobThread();
  /// Drops what waits and joins; a job that runs must end by itself or by its own cancel token.
  ~JobThread();
  JobThread(const JobThread&) = delete;
  JobThread& operator=(const JobThread&) = delete;

  /// A waiting job with the same tag is replaced: only the newest question needs an answer. An empty tag never replaces.
  void post(std::string tag, std::function<void()> job);

 private:
  struct Job {
    std::string tag;
    std::function<void()> run;
  };
  void loop();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace phiscope::session
