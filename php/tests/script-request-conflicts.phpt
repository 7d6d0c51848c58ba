--TEST--
Conflicts that a request has made are told by the run that carried it out, also when it is to be quiet
--FILE--
<?php
declare(strict_types=1);
require 'playground.inc';
foreach ([[], ['--quiet']] as $words) {
    $playground = Playground::inConflict();
    cr0_db_enqueue('force', ['database' => 'notes'], $playground->options(['by' => 'ann']));
    [$code, $out] = $playground->script('bidirectional', ...$words);
    echo $code, "\n", preg_match('/^force database="notes" +ann +done +2 +1 /m', $out);
    echo preg_match('/^conflict 1: notes\.note name="a", update_update, open$/m', $out);
    echo preg_match('/, 1 new conflict\.$/m', $out), "\n";
}
?>
--EXPECT--
1
111
1
111
