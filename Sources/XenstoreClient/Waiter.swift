import XenstoreProtocol

/// Who waits for the answer to a request.
enum Waiter {
    typealias Answer = Result<[UInt8], XenstoreError>

    case task(UnsafeContinuation<Answer, Never>)
    case batch(Batch, Int)
    /// A request that was posted; or one whose waiter comes in the same turn.
    case nobody

    func resume(_ answer: Answer) {
        switch self {
        case .task(let continuation): continuation.resume(returning: answer)
        case .batch(let batch, let index): batch.complete(index, answer)
        case .nobody: break
        }
    }
}

/// The answers to requests that one task sent together; resumes it when all are there.
final class Batch {
    private var answers: [Waiter.Answer?]
    private var missing: Int
    private var continuation: UnsafeContinuation<[Waiter.Answer], Never>?

    init(count: Int) {
        answers = Array(repeating: nil, count: count)
        missing = count
    }

    func complete(_ index: Int, _ answer: Waiter.Answer) {
        guard answers[index] == nil else { return }
        answers[index] = answer
        missing -= 1
        if missing == 0 { finish() }
    }

    func wait(_ continuation: UnsafeContinuation<[Waiter.Answer], Never>) {
        self.continuation = continuation
        if missing == 0 { finish() }
    }

    /// Frees the caller at once; answers that come later find their places taken.
    func cancel(_ error: XenstoreError = .cancelled) {
        for index in answers.indices where answers[index] == nil {
            complete(index, .failure(error))
        }
    }

    private func finish() {
        continuation?.resume(returning: answers.map { $0 ?? .failure(.cancelled) })
        continuation = nil
    }
}
