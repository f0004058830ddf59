//! Finds and cleans what a crash left: labs whose process died, half-made hosts, mounts, links and groups of dead containers, bridges
//! without a lab. What another process is working on is locked, and stays.

use super::home::{Home, folders_in};
use super::operations::Lab;
use super::{Result, container, image, mounts, network};

pub fn sweep(home: &Home) -> Result<()> {
    image::sweep(home)?;
    for name in folders_in(&home.labs())? {
        let lab = Lab::for_cleaning(home, &name);
        if lab.record()?.and_then(|record| record.owner).is_some_and(|owner| !owner.is_alive()) {
            lab.down_all(&|_| {})?;
        } else {
            sweep_lab(home, &lab)?;
        }
    }
    home.sweep_locks()?;
    sweep_networks()
}

fn sweep_lab(home: &Home, lab: &Lab) -> Result<()> {
    let Some(_lab) = home.try_lock(lab.name())? else { return Ok(()) };
    if lab.record()?.is_none() {
        // It died before it had a network, so it can have no host.
        return mounts::remove_folder(&lab.folder());
    }
    for place in lab.places()? {
        let Some(_host) = home.try_lock(&lab.host_lock(&place.name))? else { continue };
        if !place.container().is_running()? {
            mounts::unmount_all(&place.root())?;
            place.container().remove_traces()?;
        }
    }
    Ok(())
}

/// A lab's folder that was removed by hand while its hosts ran.
fn sweep_networks() -> Result<()> {
    for orphan in network::orphans() {
        for container in container::left_on(&format!("hl{}-", orphan.number()))? {
            container.kill("of a lab that is gone")?;
        }
        orphan.lower()?;
    }
    Ok(())
}
